"""A real llama.vim in a real Neovim asks our endpoint in place of llama.cpp's server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lsp_server.client import SERVER
from tests.editor.neovim import Neovim, neovim

PLUGIN = Path(__file__).parent / "unpacked" / "debian" / "usr" / "share" / "vim-llama.cpp"
RULES = [
    {"prefix": r"def double\(n\):$", "text": "\n    return 2 * n\n"},
    {"prefix": r"total = $", "text": "sum(items)"},
    {"prefix": r"total = sum\(items\)$", "text": " + 1"},
    {"prefix": r"def triple\(n\):\n$", "text": "    return 3 * n\n    # done"},
]


@contextmanager
def endpoint(settings: dict[str, object], folder: Path) -> Iterator[str]:
    """The address of one that listens."""
    file = folder / "settings.json"
    file.write_text(json.dumps(settings))
    env = {**os.environ, "FOOTNOTE_HOME": str(folder / "home")}
    with (folder / "endpoint.log").open("w+") as log:
        process = subprocess.Popen(
            [*SERVER, "--http", "0", "--settings", str(file)],
            stderr=subprocess.PIPE,
            env=env,
            text=True,
        )
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert line.startswith("listening on "), line
            yield line.removeprefix("listening on ").strip()
        finally:
            process.kill()
            log.write(process.communicate()[1])


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("folder")
    assert PLUGIN.is_dir(), "run tests/editor/install-others first"
    script = folder / "script.json"
    script.write_text(json.dumps({"rules": RULES}))
    (folder / "a.py").write_text("import os\n\n\nprint(os)\n")
    with endpoint({"model": f"scripted:{script}"}, folder) as address:
        asking = json.dumps({"endpoint_fim": f"{address}/infill"})
        init = f"vim.opt.runtimepath:prepend({json.dumps(str(PLUGIN))})\n"
        init += f"vim.g.llama_config = vim.json.decode({json.dumps(asking)})\n"
        with neovim(folder, "a.py", init, {}, ghosts="vt_fim") as opened:
            yield opened


def new_line(window: Neovim, text: str) -> None:
    window.press(f"<C-\\><C-n>Go<Esc>0Di{text}")


def test_its_ghost_text_is_ours_with_its_own_figures_behind_it_and_tab_accepts(
    window: Neovim,
) -> None:
    new_line(window, "total = ")
    ghost = window.wait(window.ghost, lambda ghost: "sum(items)" in ghost)
    assert "| c: " in ghost  # made of tokens_cached and of timings
    assert "sum(items)" not in window.text()

    window.press("<Tab>")
    window.wait(window.text, lambda text: text.endswith("\ntotal = sum(items)"))


def test_what_it_asked_ahead_is_shown_behind_what_was_accepted(window: Neovim) -> None:
    new_line(window, "total = ")
    window.wait(window.ghost, lambda ghost: "sum(items)" in ghost)
    window.press("<Tab>")
    window.wait(window.ghost, lambda ghost: " + 1" in ghost)


def test_several_lines_come_with_their_indentation(window: Neovim) -> None:
    new_line(window, "def double(n):")
    window.wait(window.ghost, lambda ghost: "    return 2 * n" in ghost)
    window.press("<Tab>")
    window.wait(window.text, lambda text: text.endswith("\ndef double(n):\n    return 2 * n"))


def test_on_a_line_of_spaces_they_are_not_said_again(window: Neovim) -> None:
    new_line(window, "def triple(n):<CR>")
    window.wait(window.ghost, lambda ghost: "return 3 * n" in ghost)
    window.press("<Tab>")
    window.wait(
        window.text, lambda text: text.endswith("\ndef triple(n):\n    return 3 * n\n    # done")
    )


def test_nothing_was_said_that_a_person_would_have_to_read(window: Neovim) -> None:
    assert window.lua("return vim.fn.execute('messages')").strip() == ""
