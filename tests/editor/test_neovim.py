"""A person at work in a real Neovim 0.12, with the configuration file that comes with Footnote."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.editor.neovim import Neovim, neovim, ours
from tests.support import tiny_corpus

RULES = [
    {"prefix": r"def double\(n\):$", "text": "\n    return 2 * n"},
    {"prefix": r"total = $", "text": "sum(items)"},
]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("folder")
    tiny_corpus.build(home)
    script = home / "script.json"
    script.write_text(json.dumps({"rules": RULES}))
    (folder / "copied.py").write_text(f"import os\n\n\n{tiny_corpus.RENAMED}\n\nprint(os)\n")
    options = {"model": f"scripted:{script}"}
    with neovim(folder, "copied.py", ours(options), {"FOOTNOTE_HOME": str(home)}) as opened:
        ready(opened)
        yield opened


def ready(window: Neovim) -> None:
    window.wait(
        lambda: window.lua("return vim.g.footnote_status or ''"), lambda said: "ready" in said
    )


def new_line(window: Neovim, text: str) -> None:
    window.press(f"<C-\\><C-n>Go<Esc>0Di{text}")


def test_a_renamed_copy_is_marked_and_hover_tells_its_source(window: Neovim) -> None:
    marks = "return vim.tbl_map(function(each) return each.message end, vim.diagnostic.get(0))"
    (said,) = window.wait(lambda: window.lua(marks), bool)
    assert "spans 1.2, spans/intervals.py lines" in said

    window.press("<C-\\><C-n>6GK")
    hover = window.wait(window.floats, lambda said: "spans 1.2" in said)
    assert "BSD-3-Clause" in hover
    window.press("<C-\\><C-n>gg")


def test_ghost_text_is_seen_and_tab_accepts_it(window: Neovim) -> None:
    new_line(window, "total = ")
    window.wait(window.ghost, lambda ghost: "sum(items)" in ghost)
    assert "sum(items)" not in window.text()

    window.press("<Tab>")
    window.wait(window.text, lambda text: text.endswith("\ntotal = sum(items)"))
    assert window.lua("return vim.api.nvim_win_get_cursor(0)[2]") == len("total = sum(items)")


def test_several_lines_are_accepted_by_the_command(window: Neovim) -> None:
    new_line(window, "def double(n):")
    window.wait(window.ghost, lambda ghost: "return 2 * n" in ghost)

    window.press("<Cmd>LspFootnoteAccept<CR>")
    window.wait(window.text, lambda text: text.endswith("\ndef double(n):\n    return 2 * n"))


def test_it_tells_why_and_loads_again(window: Neovim) -> None:
    window.press("<C-\\><C-n>:LspFootnoteExplain<CR>")
    told = window.wait(window.floats, lambda said: "shown" in said)
    assert "copied.py:" in told

    window.lua("vim.g.footnote_status = ''; return true")
    window.press("<C-\\><C-n>:LspFootnoteRestart<CR>")
    ready(window)
    new_line(window, "total = ")
    window.wait(window.ghost, lambda ghost: "sum(items)" in ghost)


def test_nothing_was_said_that_a_person_would_have_to_read(window: Neovim) -> None:
    assert window.lua("return vim.fn.execute('messages')").strip() == ""
