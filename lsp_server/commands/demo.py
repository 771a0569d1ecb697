"""`footnote demo`: the real server, driven as an editor drives it, on real files."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server.demonstration import drawing
from lsp_server.demonstration.copying import Copy, renamed_copy
from lsp_server.demonstration.places import Place, chosen_places

if TYPE_CHECKING:
    from rich.console import Console

    from lsp_server.client import Client

_READY_S = 60.0
_INVOKED = 1
_CAPABILITIES = {
    "general": {"positionEncodings": ["utf-32"]},  # a column is a character, as in our own text
    "textDocument": {
        "inlineCompletion": {},
        "hover": {"contentFormat": ["markdown"]},
        "publishDiagnostics": {"versionSupport": True, "relatedInformation": True},
    },
}


def main(argv: list[str]) -> int:
    """0 when everything was shown, 1 when a part was missing, 2 when there is no data."""
    parser = argparse.ArgumentParser(
        prog="footnote demo",
        description="Start the language server as an editor would, let it complete files of "
        "projects that the model was not trained on, and let it find a renamed copy of a "
        "function of its corpus. Needs `footnote setup` or `footnote setup --small`.",
    )
    parser.add_argument("--model", metavar="FOLDER", help="another model than the embedded one")
    options = parser.parse_args(argv)
    from indexer.shards import CorpusUnavailable

    try:
        places, copy = _material()
    except CorpusUnavailable as unavailable:
        print(f"footnote demo: {unavailable}", file=sys.stderr)
        return 2
    model = options.model or ""
    if model and Path(model).exists():  # the server starts in another folder
        model = str(Path(model).absolute())
    return _show(drawing.screen(), places, copy, model)


def _material() -> tuple[list[Place], Copy | None]:
    from indexer.home import corpus_folder, held_out_folder
    from indexer.shards import read_documents

    columns = ["package", "version", "path", "language", "text"]
    places = chosen_places(read_documents(held_out_folder(), columns))
    return places, renamed_copy(read_documents(corpus_folder(), columns))


def _show(console: Console, places: list[Place], copy: Copy | None, model: str) -> int:
    from lsp_server.client import ServerSilent

    with tempfile.TemporaryDirectory(prefix="footnote-demo-") as folder:
        workspace = Path(folder)
        try:
            with _server(console, workspace, model) as client:
                shown = [
                    _complete(console, client, workspace, number, place)
                    for number, place in enumerate(places, start=1)
                ]
                drawing.note(
                    console,
                    "these places are chosen; `footnote eval infill` measures on all held-out files",
                )
                cited = copy is not None and _cite(console, client, workspace, copy)
        except ServerSilent as silent:
            print(f"footnote demo: the server did not answer: {silent}", file=sys.stderr)
            return 1
    if not (any(shown) and cited):
        drawing.note(
            console, "Something was not shown: `footnote doctor` says why.", style="yellow"
        )
        return 1
    _connect(console)
    return 0


@contextlib.contextmanager
def _server(console: Console, workspace: Path, model: str) -> Iterator[Client]:
    from lsp_server.client import SERVER, Client

    started = time.monotonic()
    client = Client(SERVER, cwd=workspace)
    try:
        hello = client.request(
            "initialize",
            {
                "processId": None,
                "rootUri": workspace.as_uri(),
                "clientInfo": {"name": "footnote demo"},
                "capabilities": _CAPABILITIES,
                "initializationOptions": {"model": model},
            },
        )
        answered = time.monotonic()
        client.notify("initialized", {})
        status = client.wait_for(
            lambda note: note["method"] == "$/footnote/status" and not note["params"]["busy"],
            _READY_S,
        )["params"]
        ready = time.monotonic()
        _introduce(console, hello, status, (answered - started, ready - started))
        yield client
        client.end()
    finally:
        if client.running:
            client.kill()


def _introduce(
    console: Console, hello: dict[str, Any], status: dict[str, Any], seconds: tuple[float, float]
) -> None:
    info, model, index = hello["serverInfo"], status["model"], status["index"]
    drawing.title(
        console, f"Footnote {info['version']}: the language server, as an editor meets it"
    )
    drawing.note(console, f"answered after {seconds[0]:.1f} s, ready after {seconds[1]:.1f} s")
    if model["state"] == "ready":
        size = f"{model['parameters'] / 1e6:.1f} M parameters"
        drawing.note(console, f"model  {model['name']}, {size}, on {model['device']}")
    if index["state"] == "ready":
        what = f"{index['documents']:,} files of {index['packages']} packages"
        part = ", a part of what the model learned from" if index["belongs"] == "subset" else ""
        drawing.note(console, f"index  {what} ({index['selection']} corpus{part})")
    if status["kind"] != "Normal":
        drawing.note(console, status["message"], style="yellow")


def _complete(console: Console, client: Client, workspace: Path, number: int, place: Place) -> bool:
    """Open the file, ask at the cursor, draw the answer."""
    uri = _open(client, workspace, place.path, place.language, place.text)
    params = {
        "textDocument": {"uri": uri},
        "position": {"line": place.line, "character": place.column},
        "context": {"triggerKind": _INVOKED},
    }
    asked = time.monotonic()
    reply = client.request("textDocument/inlineCompletion", params)
    took = (time.monotonic() - asked) * 1000
    item = reply["items"][0] if reply and reply["items"] else None
    where = f"{place.path}, line {place.line + 1}"
    drawing.title(console, f"{number}  {place.package} {place.version}: {where}  ({took:.0f} ms)")
    drawing.excerpt(console, place.text, item, place.line, place.column)
    if item is None:
        why = client.request("footnote/explain")["requests"][0]["reason"]
        drawing.note(console, f"no suggestion ({why})")
    wrote = place.hidden.strip()
    drawing.note(console, f"its author wrote: {wrote}" if wrote else "its author ended the line")
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return item is not None


def _cite(console: Console, client: Client, workspace: Path, copy: Copy) -> bool:
    """Open a file that carries the copy; draw what the editor marks and shows."""
    head = '"""Helpers for the report."""\n\nimport re\n\n\n'
    text = head + copy.text
    first = head.count("\n")
    asked = time.monotonic()
    uri = _open(client, workspace, "report/helpers.py", "python", text)
    found = client.wait_for(
        lambda note: (
            note["method"] == "textDocument/publishDiagnostics" and note["params"]["uri"] == uri
        )
    )["params"]["diagnostics"]
    took = (time.monotonic() - asked) * 1000
    drawing.title(console, f"4  a copied function, {copy.renamed} names changed  ({took:.0f} ms)")
    place = f"{copy.path} lines {copy.start_line} to {copy.end_line}"
    drawing.note(console, f"taken from {copy.package} {copy.version}, {place}")
    if not found:
        drawing.marked(console, text, first, text.count("\n"))
        drawing.note(console, "nothing was found", style="yellow")
        return False
    span = found[0]["range"]
    drawing.marked(console, text, span["start"]["line"], span["end"]["line"])
    for each in found:
        level = "warning" if each["severity"] == 2 else "information"
        message = f"{level}: {each['message']} [{each['source']} {each['code']}]"
        drawing.note(console, message, style="yellow")
    hovered = client.request(
        "textDocument/hover", {"textDocument": {"uri": uri}, "position": span["start"]}
    )
    if hovered is not None:
        drawing.hover(console, hovered["contents"]["value"])
    return hovered is not None


def _open(client: Client, workspace: Path, path: str, language: str, text: str) -> str:
    uri = (workspace / path).as_uri()
    document = {"uri": uri, "languageId": language, "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": document})
    return uri


def _connect(console: Console) -> None:
    python = Path(sys.executable)
    script = python.with_name("footnote")
    command = str(script) if script.exists() else "footnote"
    drawing.title(console, "Connect an editor")
    console.print(
        "VS Code: `make vsix`, then `code --install-extension vscode-client/footnote.vsix`, and in "
        "settings.json:",
        markup=False,
    )
    console.print(f'\n  "footnote.serverPath": "{command}"\n', markup=False)
    console.print("Neovim 0.12, in init.lua:", markup=False)
    console.print(
        f"""
  vim.lsp.config.footnote = {{
    cmd = {{ '{command}', 'serve' }},
    filetypes = {{ 'python', 'javascript', 'javascriptreact', 'typescript', 'typescriptreact' }},
    root_markers = {{ '.git' }},
  }}
  vim.lsp.enable('footnote')
  vim.lsp.inline_completion.enable()
  vim.keymap.set('i', '<Tab>', function()
    if not vim.lsp.inline_completion.get() then return '<Tab>' end
  end, {{ expr = true }})
""",
        markup=False,
    )
