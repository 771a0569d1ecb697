"""What other files say about a gap: definitions behind its imports, passages like it, in this order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from engine import Gap
from engine.context import Source, excerpts
from engine.context.definitions import definitions, told
from engine.context.imports import candidates, imports
from engine.context.likeness import likeness, passages, words

SHAPES = '''\
import math

SIZE = 2
NAMES: dict[str, int] = {}


def area(
    width: int,
    height: int = SIZE,
) -> int:
    """The area.

    Of a rectangle: nothing else is known here.
    """
    return width * height


class Circle(Shape):
    """A round one.

    Args: none
    """

    radius: float = 1.0

    def __init__(self, radius):
        self.radius = radius
        self.other = 1

    @property
    def area(self) -> float:
        return math.pi

    async def draw(
        self,
        where,
    ):
        pass
'''
FILES = {
    "shop/shapes.py": SHAPES,
    "shop/__init__.py": "from .shapes import area, Circle\n",
    "shop/paint.py": "def red(depth):\n    return depth\n\n\ndef blue():\n    pass\n",
}


def files(texts: dict[str, str] = FILES) -> dict[str, Source]:
    languages = {"py": "python", "ts": "typescript", "js": "javascript"}
    return {
        path: Source(path, text, languages[path.rsplit(".")[-1]]) for path, text in texts.items()
    }


def found(prefix: str, *, path: str = "shop/client.py", language: str = "python", **more: object):
    known = more.pop("files", files())
    gap = Gap(prefix, "", path, language)
    return excerpts(gap, Source(path, prefix, language), more.pop("opened", []), known.get, **more)


def test_names_are_found_where_they_are_defined() -> None:
    assert {name: SHAPES[place:][:9] for name, place in definitions(SHAPES, "python").items()} == {
        "SIZE": "SIZE = 2\n",
        "NAMES": "NAMES: di",
        "area": "def area(",
        "Circle": "class Cir",
    }


def test_a_function_is_told_by_its_head_and_the_first_line_of_its_documentation() -> None:
    text = told(SHAPES, SHAPES.index("def area("), "python")

    assert text == (
        'def area(\n    width: int,\n    height: int = SIZE,\n) -> int:\n    """The area."""\n'
    )


def test_a_class_is_told_by_its_members_without_their_bodies() -> None:
    text = told(SHAPES, SHAPES.index("class Circle"), "python")

    assert text == (
        'class Circle(Shape):\n    """A round one."""\n    radius: float = 1.0\n'
        "    def __init__(self, radius):\n    def area(self) -> float:\n"
        "    async def draw(\n        self,\n        where,\n    ):\n"
    )


def test_a_constant_is_told_by_its_line() -> None:
    assert told(SHAPES, SHAPES.index("NAMES"), "python") == "NAMES: dict[str, int] = {}\n"


def test_types_of_a_script_are_told_with_what_is_in_them() -> None:
    script = (
        "export interface Shape {\n  size: number;\n  draw(at: Point): void;\n}\n"
        "export function area(shape: Shape): number {\n  return 1;\n}\n"
    )
    places = definitions(script, "typescript")

    assert told(script, places["Shape"], "typescript") == script[: script.index("export function")]
    assert told(script, places["area"], "typescript") == (
        "export function area(shape: Shape): number {\n"
    )


@pytest.mark.parametrize("language", ["python", "typescript", "rust"])
@pytest.mark.parametrize("text", ["", "class", "class A", "def f(", "export class A {", '"""', "x"])
def test_a_text_that_is_being_written_is_no_obstacle(text: str, language: str) -> None:
    for place in (*definitions(text, language).values(), 0):
        assert told(text, place, language).endswith("\n")
    assert len(passages(text)) == 1


def test_an_import_of_a_module_and_of_a_name_in_it_lead_to_the_same_file() -> None:
    text = "from .shapes import area\nfrom . import shapes\nimport shop.shapes\n"
    modules = [module for module, _ in imports(text, "shop/client.py", "python")]

    for module in modules:
        assert "shop/shapes.py" in candidates(module, "shop/client.py", "python")


def test_absolute_imports_are_found_below_a_source_folder() -> None:
    assert "src/shop/shapes.py" in candidates("shop/shapes/area", "tests/test_it.py", "python")


def test_of_an_imported_name_its_definition_is_shown() -> None:
    (only,) = found("from .shapes import area\n\n")

    assert only.path == "shop/shapes.py"
    assert only.text.startswith("def area(")


def test_a_name_that_a_package_hands_on_is_followed_to_its_definition() -> None:
    (only,) = found("from shop import Circle\n\n", path="tests/test_shop.py")

    assert only.path == "shop/shapes.py"
    assert only.text.startswith("class Circle(Shape):")


def test_of_an_imported_module_is_shown_what_is_used_of_it() -> None:
    (only,) = found("from . import paint\n\npaint.red(1)\n")

    assert only.text == "def red(depth):\n"


def test_what_is_used_near_the_gap_comes_first() -> None:
    both = "from .shapes import area\nfrom .paint import red\n\n"

    assert found(both + "red(1)\n")[0].path == "shop/paint.py"
    assert found(both + "area(1)\n")[0].path == "shop/shapes.py"


def test_what_is_not_in_the_project_is_not_shown() -> None:
    assert found("import os\nfrom pathlib import Path\nfrom .gone import away\n") == ()


def test_a_file_that_imports_itself_shows_nothing_of_itself() -> None:
    assert found("from .shapes import area\n", path="shop/shapes.py") == ()


def test_what_looks_like_a_key_is_not_shown() -> None:
    key = 'TOKEN = "ghp_' + "a1B2c3D4" * 5 + '"\n'
    known = files({"settings.py": f"{key}PORT = 8080\n", "old.py": f"{key}PORT = start(8080)\n"})
    start = "from settings import PORT, TOKEN\n\nserver = start(PORT, TOKEN)\n"
    shown = found(start, path="app.py", files=known, opened=[known["old.py"]])

    assert [(each.path, each.text) for each in shown] == [("settings.py", "PORT = 8080\n")]


def test_imports_that_go_in_circles_end() -> None:
    known = files({"a.py": "from b import thing\n", "b.py": "from a import thing\n"})

    assert found("from a import thing\n", path="c.py", files=known) == ()


def test_of_open_files_the_passage_most_like_the_gap_is_shown_behind_definitions() -> None:
    far = "\n".join(f"word{number} = other{number}()" for number in range(60))
    near = "def polygon(corners, colour):\n    return draw_lines(corners, colour)\n"
    opened = files({"shop/lines.py": f"{far}\n{near}", "shop/far.py": far})
    start = "from .shapes import area\n\ndef triangle(corners, colour):\n    return draw_lines("

    shown = found(start, opened=list(opened.values()))

    assert [each.path for each in shown] == ["shop/shapes.py", "shop/lines.py"]
    assert near in shown[1].text


def test_without_time_nothing_is_looked_into() -> None:
    opened = list(files().values())

    assert found("from .shapes import area\n", opened=opened, in_time=lambda: False) == ()


def test_common_words_make_nothing_alike() -> None:
    assert likeness(words("return self.value"), words("return self.other")) == 0.0
    assert likeness(words("one two"), words("two one")) == 1.0


@pytest.mark.parametrize("count", [1, 19, 20, 21, 30, 31, 60, 61])
def test_passages_cover_the_whole_text(count: int) -> None:
    text = "".join(f"line{number}\n" for number in range(count))
    parts = passages(text)

    assert parts[0].start == 0
    assert parts[-1].end == len(text)
    assert all(one.end >= other.start for one, other in pairwise(parts))


SCRIPT = """\
import React, { useState as use } from 'react';
import type { Shape } from "../shapes";
import draw, { Line } from './draw.js';
export { Color } from "./color";
const { read, write } = require('./files');
import "./style";
"""


def test_scripts_name_what_they_import() -> None:
    found = dict(imports(SCRIPT, "lib/paint/main.ts", "typescript"))

    assert found["lib/shapes"] == ("Shape",)
    assert found["lib/paint/draw.js"] == ("draw", "Line")
    assert found["lib/paint/color"] == ("Color",)
    assert found["lib/paint/files"] == ("read", "write")
    assert not any("react" in module for module in found)


def test_of_a_scripts_imports_the_files_are_found_whatever_their_ending() -> None:
    known = files(
        {
            "lib/shapes/index.ts": "export interface Shape {\n  size: number;\n}\n",
            "lib/paint/draw.ts": "export class Line {\n  start = 0;\n}\n",
        }
    )
    shown = found(SCRIPT, path="lib/paint/main.ts", language="typescript", files=known)

    assert {each.path: each.text for each in shown} == {
        path: each.text for path, each in known.items()
    }
