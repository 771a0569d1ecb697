"""A person at work in a real Helix, which has a menu and no ghost text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support import tiny_corpus

if TYPE_CHECKING:
    from tests.editor.helix import Helix

RULES = [
    {"prefix": r"def double\(n\):$", "text": "\n        return '$1' * n"},
    {"prefix": r"total = $", "text": "sum(items)"},
]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helix]:
    from tests.editor.helix import helix

    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("folder")
    tiny_corpus.build(home)
    script = home / "script.json"
    script.write_text(json.dumps({"rules": RULES}))
    (folder / "copied.py").write_text(f"import os\n\n\n{tiny_corpus.RENAMED}\n\nprint(os)\n")
    options = {"model": f"scripted:{script}"}
    with helix(folder, "copied.py", options, {"FOOTNOTE_HOME": str(home)}) as opened:
        opened.press("geototal = ")
        opened.ask_until("sum(items)")
        opened.rest()
        opened.press("u")
        opened.wait(lambda screen: "sum(items)" not in screen)
        yield opened


def test_a_renamed_copy_is_marked_and_hover_tells_its_source(window: Helix) -> None:
    window.wait(lambda screen: "with other names (100%): spans 1.2" in screen)

    window.press("5gg k")
    window.wait(lambda screen: "BSD-3-Clause" in screen)
    window.rest()


def test_the_suggestion_is_in_the_menu_and_tab_and_return_take_it(window: Helix) -> None:
    window.press("geototal = ")
    window.wait(lambda screen: "sum(items)" in screen)
    window.press("\t\r")
    window.saved("\ntotal = sum(items)\n")


def test_several_lines_come_in_as_they_are(window: Helix) -> None:
    window.press("geoclass A:\r    def double(n):")
    window.wait(lambda screen: "return '$1' * n" in screen)
    window.press("\t\r")
    window.saved("\nclass A:\n    def double(n):\n        return '$1' * n\n")
