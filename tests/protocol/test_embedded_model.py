"""The product as it ships: the embedded model behind the real server, without any network."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine import Ban, CancelToken, CompletionOptions, Gap
from engine.loading import DEFAULT_MODEL
from indexer import AttributionIndex
from lsp_server import asks
from lsp_server.asks import ask_at
from lsp_server.client import SERVER
from lsp_server.commands.complete import main
from lsp_server.documents import Documents
from lsp_server.scheduler import READY, EngineThread, LookupThread
from lsp_server.session import Index, Session
from lsp_server.settings import parse
from lsp_server.suggestions import suggest
from tests.support import tiny_corpus
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


READING = '''\
import os


def read_lines(path, encoding="utf-8"):
    """Read a file and return its lines without line ends."""
    lines = []
    with open(path, encoding=encoding) as handle:
        for line in handle:
            lines.append(line.rstrip("\\n"))
    return lines


def write_lines(path, lines, encoding="utf-8"):
    """Write lines to a file, each with a line end."""
'''


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


async def test_regenerating_keeps_what_is_nobodys_and_takes_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = engine.load(None, threads=1)
    gap = Gap(READING + "    ", "\n", "project/files.py", "python")
    plain = model.complete(gap, CompletionOptions(), CancelToken()).text
    tiny_corpus.build(tmp_path, {"files.py": f"{READING}    {plain}\n"})
    monkeypatch.setattr(asks, "CANDIDATES", 1)  # a short one would be shown instead
    ready = threading.Event()
    thread = EngineThread(lambda: model, lambda state: ready.set() if state.info else None)
    session = Session(Documents(), thread, LookupThread("a"), LookupThread("b"))
    session.settings, _ = parse({"attribution": {"mode": "regenerate"}})
    session.index = Index(READY, AttributionIndex.open(tmp_path / "index"))
    document = session.documents.open("file:///project/files.py", "python", 1, gap.prefix + "\n")
    ask = ask_at(document, len(gap.prefix), automatic=False)
    thread.start()
    await asyncio.to_thread(ready.wait)

    entry = session.trace.begin(file="", language="python", line=1, trigger="invoked")
    (other,) = await suggest(session, ask, entry)

    assert entry.details["regenerated"] >= 1
    assert other.checked
    assert not other.matches
    assert not Ban(plain).forbids(other.text)  # the match began above: its first word is banned
    thread.close()


def test_the_model_takes_another_way_where_it_is_told_to() -> None:
    model = engine.load(None, threads=1)
    gap = Gap(READING + "    ", "\n", "project/files.py", "python")
    plain = model.complete(gap, CompletionOptions(), CancelToken()).text
    first, _, rest = plain.partition("\n")
    after = first + "\n" + rest[: len(rest) - len(rest.lstrip())]
    ban = Ban(plain.removeprefix(after), after)
    branched = model.complete(gap, CompletionOptions(banned=(ban,)), CancelToken()).text

    assert branched.startswith(after)
    assert not ban.forbids(branched)


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
