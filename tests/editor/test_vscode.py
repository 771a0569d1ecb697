"""A person at work: types, sees ghost text, accepts it, types along it, is told of a copy, and credits it."""

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


def test_in_a_cell_of_a_notebook_the_names_of_an_earlier_one_are_known(window: Editor) -> None:
    window.open_cell("birds.ipynb", 1)
    window.type("for count in gull")
    assert window.wait_for_ghost(lambda ghost: "_counts" in ghost).startswith("_counts")
    window.picture("notebook")

    window.press("Tab")
    cell = window.page.locator(".notebookOverlay .code-cell-row").nth(1)
    shown = cell.locator(".view-lines").first
    window.wait(shown.inner_text, lambda text: "gull_counts" in text.replace("\u00a0", " "))
    text = window.saved("birds.ipynb", lambda text: "for count in gull_counts" in text)
    assert "heron_counts = [2, 0, 5]" in text
    window.command("View: Close Editor")


def test_the_account_of_the_last_requests_opens_as_a_text(window: Editor) -> None:
    window.command("Footnote: Why No Suggestion?")

    lines = window.page.locator(".editor-instance .view-lines").first
    window.wait(lambda: lines.inner_text().replace("\u00a0", " "), lambda text: "outcome" in text)
    window.command("View: Close Editor")


def test_a_renamed_copy_is_marked_and_its_source_is_told(window: Editor, copy: Copy) -> None:
    window.open("copied.py")

    mark = window.page.locator(".squiggly-warning, .squiggly-info").first
    mark.wait_for(state="attached", timeout=30_000)
    line = window.page.locator(".view-line", has_text="def ").first
    hover = window.page.locator(".monaco-hover-content", has_text=copy.package).first

    def is_told() -> bool:
        # What is asked for before the marks are drawn has nothing to say, and is not asked again.
        window.page.mouse.move(0, 0)
        line.hover(position={"x": 60, "y": 8})
        window.page.wait_for_timeout(1_500)
        return hover.is_visible()

    window.wait(is_told, bool)
    window.picture("hover")
    said = hover.inner_text()
    assert copy.path.rsplit("/", 1)[-1] in said
    assert "with other names" in said


def test_the_view_of_matches_names_licence_and_package_and_compares(
    window: Editor, copy: Copy
) -> None:
    window.command("Footnote: Show Matches in Open Files")
    row = window.page.locator(".pane-body .monaco-list-row", has_text="copied.py: lines").first
    row.wait_for()
    packages = window.page.locator(".pane-body .monaco-list-row", has_text=copy.package)
    assert packages.count() >= 1

    row.hover()
    row.locator(".action-label[aria-label='Compare with the Source']").click()
    difference = window.page.locator(".diff-editor, .monaco-diff-editor").first
    difference.wait_for()
    names = window.page.locator(".monaco-diff-editor .view-line", has_text=copy.name)
    window.wait(names.count, lambda count: count >= 2)  # the name was kept on both sides
    window.picture("compared")
    window.command("View: Close Editor")
    difference.wait_for(state="detached")


def test_a_passage_is_credited_and_its_source_is_opened(window: Editor, copy: Copy) -> None:
    window.open("copied.py")
    window.page.locator(".squiggly-warning, .squiggly-info").first.wait_for(state="attached")
    window.page.locator(".view-line", has_text="def ").first.click(position={"x": 60, "y": 8})
    _act(window, "Insert an attribution comment")
    text = window.saved("copied.py", lambda text: "SPDX-License-Identifier: " in text)
    assert f"# Source: {copy.package} " in text
    ast.parse(text)

    _act(window, "Open the source")
    name = copy.path.rsplit("/", 1)[-1]
    window.page.locator(f".tab.active[data-resource-name='{name}']").wait_for()
    window.picture("source")


def _act(window: Editor, title: str) -> None:
    """Choose an action at the cursor, as soon as it is offered."""
    action = window.page.locator(".action-widget .monaco-list-row", has_text=title).first

    def offered() -> bool:
        window.press("Escape")
        window.press("Control+.")
        window.page.wait_for_timeout(500)
        return bool(action.is_visible())

    window.wait(offered)
    window.picture("actions")
    action.click()


def test_nothing_was_asked_of_the_network(window: Editor) -> None:
    assert window.outside == set()
