"""A person at work: types, sees ghost text, accepts it, types along it, is told of a copy."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsp_server.demonstration.copying import Copy
    from tests.editor.vscode import Editor


def test_ghost_text_is_seen_typed_along_and_accepted(window: Editor) -> None:
    window.open("point.py")
    window.wait_until_ready()

    window.press("Control+End")
    window.type("        self")
    seen = window.wait_for_ghost(lambda ghost: "z" in ghost)
    window.picture("ghost-text")
    assert ".z = z" in seen

    window.type(".z")
    assert window.wait_for_ghost(lambda ghost: ghost and ghost != seen).startswith(" = z")

    window.press("Tab")
    ast.parse(window.saved("point.py", lambda text: "        self.z = z" in text))


def test_a_renamed_copy_is_marked_and_its_source_is_told(window: Editor, copy: Copy) -> None:
    window.open("copied.py")

    mark = window.page.locator(".squiggly-warning, .squiggly-info").first
    mark.wait_for(state="attached", timeout=30_000)
    window.page.locator(".view-line", has_text="def ").first.hover(position={"x": 60, "y": 8})
    hover = window.page.locator(".monaco-hover-content", has_text=copy.package).first
    hover.wait_for()
    window.picture("hover")
    said = hover.inner_text()
    assert copy.path.rsplit("/", 1)[-1] in said
    assert "with other names" in said


def test_nothing_was_asked_of_the_network(window: Editor) -> None:
    assert window.outside == set()
