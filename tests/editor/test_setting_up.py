"""The first minutes of somebody who has nothing but the .vsix: it sets up its own server, and completes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editor.conftest import POINT

if TYPE_CHECKING:
    from pathlib import Path

_SET_UP_S = 600.0  # a registry may be slow


@pytest.mark.timeout(900)
def test_the_extension_sets_up_the_server_that_it_carries(
    tmp_path: Path, vsix: Path, pictures: Path
) -> None:
    from tests.editor.vscode import editor

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "point.py").write_text(POINT, "utf-8")
    # No environment of pipx or uv to be found, and no data.
    env = {name: str(tmp_path / "data") for name in ("XDG_DATA_HOME", "PIPX_HOME", "FOOTNOTE_HOME")}
    with editor(vsix, folder, pictures, {}, env) as window:
        window.open("point.py")
        button = window.page.locator(".notification-toast .monaco-button", has_text="Set it up")
        button.wait_for(timeout=30_000)
        window.picture("set-up-offered")
        button.click()
        window.wait(window.status, lambda said: "Model: ready" in said, _SET_UP_S)
        # What is still missing is offered.
        offer = window.page.locator(".quick-input-widget", has_text="what to cite from")
        offer.wait_for(timeout=60_000)
        window.picture("corpus-offered")
        window.press("Escape")

        window.page.locator(".editor-instance .monaco-editor .view-line").first.click()
        window.press("Control+End")
        window.type("        self")
        assert ".z = z" in window.wait_for_ghost(lambda ghost: "z" in ghost)
