"""A real Emacs: lsp-mode has ghost text, and says so by a null; eglot has a menu."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support import tiny_corpus

HERE = Path(__file__).parent
RULES = [{"prefix": r"    def double\(n\):$", "text": "\n        return 2 * n"}]


def emacs(script: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    program = HERE / "unpacked" / "emacs"
    assert program.is_file(), "run tests/editor/install-others first"
    command = f"{sys.executable} -I -m lsp_server"
    return subprocess.run(
        [str(program), "--batch", "-Q", "-l", str(HERE / script)],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "FOOTNOTE_COMMAND": command, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_lsp_mode_shows_ghost_text_and_accepts_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = ")
    done = emacs("lsp_mode.el", tmp_path)

    assert done.stdout == "menu: no\nghost: [y = |]\ntext: x = 1\ny = [y = |]\n", done.stderr
    assert "Warning (lsp-mode)" not in done.stderr  # each opens a window


def test_eglot_marks_hovers_and_inserts_several_lines_from_its_menu(tmp_path: Path) -> None:
    home = tmp_path / "data"
    tiny_corpus.build(home)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"rules": RULES}))
    (tmp_path / "a.py").write_text(f"import os\n\n\n{tiny_corpus.RENAMED}\n\nprint(os)\n")
    done = emacs("eglot.el", tmp_path, FOOTNOTE_HOME=str(home), FOOTNOTE_MODEL=f"scripted:{script}")

    # The bell rings as long as there is no suggestion yet, whatever it is told in --batch.
    mark, hover, *text = done.stdout.replace("\a", "").splitlines()
    assert "spans 1.2, spans/intervals.py lines" in mark, done.stderr
    assert hover == "hover: names the licence"
    assert text == ["text: if True:", "    def double(n):", "        return 2 * n"]
