"""What the model is shown of other files: what may be shown, as it stands now, the same while one types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.editor import Editor, Stage, until

HEADS = 'def area(width, height):\n    """Of a rectangle."""\n'
SHAPES = f"{HEADS}    return width * height\n"
CLIENT = "from shop.shapes import area\n\nsize = <CURSOR>"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def server(stage: Stage, root: Path) -> Iterator[Editor]:
    with Editor(stage.command, root=root) as editor:
        editor.ready()
        yield editor


@pytest.fixture
def project(root: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of the workspace, where Python would find its modules."""
    folder = root / request.node.name
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "shapes.py").write_text(SHAPES)
    return folder


@pytest.fixture
def working(server: Editor, stage: Stage) -> Iterator[Editor]:
    stage.write({"text": "value"})
    yield server
    server.close_all()


def name(project: Path, path: str) -> str:
    return (project / path).as_uri()


def rested(
    editor: Editor, stage: Stage, uri: str, at: Mapping[str, int], project: Path
) -> list[tuple[str, str]]:
    """What is shown once the cursor has rested there, by paths in the project."""
    before = len(stage.readings())
    editor.rest(uri, at)
    until(lambda: any(call["ended"] == "done" for call in stage.readings()[before:]))
    return in_project(stage.readings()[-1], project)


def in_project(call: Mapping[str, Any], project: Path) -> list[tuple[str, str]]:
    return [(path.removeprefix(f"{project.name}/"), text) for path, text in call["context"]]


SHOWN = [("shop/shapes.py", HEADS)]


def test_what_the_file_imports_is_shown(working: Editor, stage: Stage, project: Path) -> None:
    uri, at = working.open_at(CLIENT, name=name(project, "client.py"))
    assert rested(working, stage, uri, at, project) == SHOWN

    working.suggestion(uri, at)
    assert in_project(stage.calls()[-1], project) == SHOWN


def test_the_trace_names_the_files_and_holds_none_of_their_text(
    working: Editor, stage: Stage, project: Path
) -> None:
    uri, at = working.open_at(CLIENT, name=name(project, "client.py"))
    rested(working, stage, uri, at, project)
    working.suggestion(uri, at)

    trace = working.client.request("footnote/explain")["requests"][0]
    assert trace["details"]["context"] == [f"{project.name}/shop/shapes.py"]
    assert "rectangle" not in repr(trace)


def test_it_stays_the_same_while_one_types_and_is_another_far_away(
    working: Editor, stage: Stage, project: Path
) -> None:
    lines = "\n" * 50
    text = f"from shop.shapes import area, corner\n\none = area(<CURSOR>){lines}two = corner(3)\n"
    (project / "shop" / "shapes.py").write_text(f"{SHAPES}\ndef corner(number):\n    pass\n")
    uri, at = working.open_at(text, name=name(project, "client.py"))
    first = rested(working, stage, uri, at, project)
    at = working.type(uri, at, "1 + corner(")
    same = rested(working, stage, uri, at, project)
    far = rested(working, stage, uri, {"line": 52, "character": 15}, project)

    assert first[0][1].startswith("def area(")
    assert same == first
    assert far[0][1].startswith("def corner(")


def test_an_open_file_is_shown_as_it_stands_in_the_editor(
    working: Editor, stage: Stage, project: Path
) -> None:
    other = working.open("def area(radius):\n    pass\n", name=name(project, "shop/shapes.py"))
    uri, at = working.open_at(CLIENT, name=name(project, "client.py"))
    assert rested(working, stage, uri, at, project) == [("shop/shapes.py", "def area(radius):\n")]

    working.type(other, {"line": 0, "character": 9}, "the_")
    assert rested(working, stage, uri, at, project) == [
        ("shop/shapes.py", "def area(the_radius):\n")
    ]


def test_a_passage_of_an_open_file_is_shown_until_that_is_closed(
    working: Editor, stage: Stage, project: Path
) -> None:
    passage = "def triangle(corners, colour):\n    return draw_lines(corners, colour)\n"
    other = working.open(passage, name=name(project, "lines.py"))
    uri, at = working.open_at(
        "def square(corners, colour):\n    return draw_lines(<CURSOR>", name=name(project, "new.py")
    )
    assert rested(working, stage, uri, at, project) == [("lines.py", passage)]

    working.close_document(other)
    assert rested(working, stage, uri, at, project) == []


def test_of_a_file_that_is_to_be_left_alone_nothing_is_read(
    working: Editor, stage: Stage, project: Path
) -> None:
    (project / ".footnoteignore").write_text("shop/\n")
    working.open("def area():\n    pass\n", name=name(project, "shop/shapes.py"))
    uri, at = working.open_at(CLIENT, name=name(project, "client.py"))

    assert rested(working, stage, uri, at, project) == []


def test_of_an_excluded_file_nothing_is_read(working: Editor, stage: Stage, project: Path) -> None:
    (project / "my_secret.py").write_text("def word():\n    pass\n")
    uri, at = working.open_at(
        "from my_secret import word\n\nword(<CURSOR>", name=name(project, "client.py")
    )

    assert rested(working, stage, uri, at, project) == []


def test_a_link_out_of_the_workspace_is_not_followed(
    working: Editor, stage: Stage, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.py").write_text("def word():\n    pass\n")
    (project / "inside.py").symlink_to(tmp_path / "outside.py")
    uri, at = working.open_at(
        "from inside import word\n\nword(<CURSOR>", name=name(project, "client.py")
    )

    assert rested(working, stage, uri, at, project) == []


def test_outside_the_workspace_no_file_is_read(
    working: Editor, stage: Stage, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.py").write_text("def word():\n    pass\n")
    uri, at = working.open_at(
        "from outside import word\n\nword(<CURSOR>", name=name(tmp_path, "client.py")
    )

    assert rested(working, stage, uri, at, project) == []


def test_switched_off_nothing_is_shown(stage: Stage, project: Path) -> None:
    stage.write({"text": "value"})
    with Editor(stage.command, root=project, options={"context.enabled": False}) as editor:
        editor.ready()
        uri, at = editor.open_at(CLIENT, name=name(project, "client.py"))

        assert rested(editor, stage, uri, at, project) == []


def test_files_that_are_no_text_are_no_obstacle(
    working: Editor, stage: Stage, project: Path
) -> None:
    (project / "shop" / "shapes.py").write_bytes(b"def area\xff\x00")
    (project / "area.py").mkdir()
    uri, at = working.open_at(CLIENT, name=name(project, "client.py"))

    assert rested(working, stage, uri, at, project) == []
