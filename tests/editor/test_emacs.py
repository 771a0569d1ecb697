"""A real Emacs with lsp-mode: it has ghost text, and says so by a null."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_lsp_mode_shows_ghost_text_and_accepts_it(tmp_path: Path) -> None:
    emacs = HERE / "unpacked" / "emacs"
    assert emacs.is_file(), "run tests/editor/install-others first"
    (tmp_path / "a.py").write_text("x = 1\ny = ")
    command = f"{sys.executable} -I -m lsp_server"
    done = subprocess.run(
        [str(emacs), "--batch", "-Q", "-l", str(HERE / "lsp_mode.el")],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "FOOTNOTE_COMMAND": command},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "menu: no\nghost: [y = |]\ntext: x = 1\ny = [y = |]\n", done.stderr
