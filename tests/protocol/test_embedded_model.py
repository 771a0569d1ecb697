"""The product as it ships: the embedded model behind the real server, without any network."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.loading import DEFAULT_MODEL
from lsp_server.client import SERVER
from lsp_server.commands.complete import main
from tests.support.casefile import cut
from tests.support.editor import Editor

pytestmark = pytest.mark.skipif(
    not (DEFAULT_MODEL / "config.json").is_file(), reason="no weights in this checkout"
)

PLACES = [
    "import os\n\n\ndef read(path):\n    with open(path) as handle:\n        return <CURSOR>\n",
    "def total(items):\n    result = 0\n    for item in items:\n        <CURSOR>\n    return result\n",
    'names = ["a", "b"]\nfor name in <CURSOR>\n    print(name)\n',
    "def first(values):\r\n    if not values:\r\n        raise <CURSOR>\r\n    return values[0]\r\n",
]


def without_network() -> tuple[str, ...]:
    """A prefix that starts a program with no network at all, where the system allows it."""
    prefix = ("unshare", "--map-root-user", "--net")
    if shutil.which("unshare") is None:
        return ()
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if allowed else ()


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    options = {"completion": {"minShowDelayMs": 0, "maxDebounceMs": 0}}
    with Editor((*without_network(), *SERVER), options=options) as editor:
        assert editor.ready()["model"]["state"] == "ready"
        yield editor


@pytest.mark.parametrize("marked", PLACES, ids=["return", "block", "in line", "crlf"])
def test_server_and_command_line_give_the_same_text(
    marked: str, editor: Editor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = cut("", marked)
    file = tmp_path / "package" / "module.py"
    file.parent.mkdir()
    file.write_bytes(place.text.encode())
    where = ["--line", str(place.line + 1), "--column", str(place.index + 1)]
    assert main([str(file), *where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["text"]

    item = editor.suggestion(editor.open(place.text, name=file.as_uri()), editor.position(place))
    typed = place.text.split("\n")[place.line][: place.index].lstrip()
    assert (item["insertText"] if item else typed) == typed + told


def test_a_typing_session_is_answered_at_every_stroke(editor: Editor) -> None:
    uri, at = editor.open_at("import json\n\n\ndef load(path):\n    <CURSOR>\n")
    for stroke in "with open(path) as handle:":
        at = editor.type(uri, at, stroke)
        editor.suggestion(uri, at, kind=2)
    for _ in range(6):
        before = {**at, "character": at["character"] - 1}
        editor.change(uri, {"range": {"start": before, "end": at}, "text": ""})
        at = before
        editor.suggestion(uri, at, kind=2)

    assert not any(reason.startswith("model-") for reason in editor.reasons())
