"""A real Neovim without a screen: keys go in over its socket, and what it shows is asked for there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "docs" / "editors" / "nvim"
OUR_GHOSTS = "nvim.lsp.inline_completion"
_QUIET = "vim.o.swapfile = false\nvim.o.shadafile = 'NONE'\n"
_INIT = """
vim.opt.runtimepath:prepend({configuration})
vim.lsp.config('footnote', {{ cmd = {command}, init_options = {options} }})
vim.lsp.enable('footnote')
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then return '<Tab>' end
end, {{ expr = true }})
"""
# What a person sees behind the text: the words of the ghost, lines joined.
_GHOST = """
local space = vim.api.nvim_get_namespaces()['{namespace}']
local said = {{}}
for _, mark in ipairs(space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {{ details = true }}) or {{}}) do
  local lines = {{ mark[4].virt_text or {{}} }}
  vim.list_extend(lines, mark[4].virt_lines or {{}})
  for _, line in ipairs(lines) do
    said[#said + 1] = table.concat(vim.tbl_map(function(part) return part[1] end, line))
  end
end
return table.concat(said, '\\n')
"""
_FLOATS = """
local said = {}
for _, window in ipairs(vim.api.nvim_list_wins()) do
  if vim.api.nvim_win_get_config(window).relative ~= '' then
    vim.list_extend(said, vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false))
  end
end
return table.concat(said, '\\n')
"""


class Neovim:
    """One that runs."""

    def __init__(self, program: str, socket: Path, ghosts: str) -> None:
        self._remote = (program, "--server", str(socket))
        self._ghosts = ghosts

    def press(self, keys: str) -> None:
        self._run("--remote-send", keys)

    def lua(self, body: str) -> Any:
        """What a piece of Lua returns."""
        code = json.dumps(f"vim.json.encode((function() {body} end)())")
        return json.loads(self._run("--remote-expr", f"luaeval({code})"))

    def ghost(self) -> str:
        return str(self.lua(_GHOST.format(namespace=self._ghosts)))

    def floats(self) -> str:
        return str(self.lua(_FLOATS))

    def text(self) -> str:
        return str(
            self.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')")
        )

    def wait(
        self, look: Callable[[], Any], wanted: Callable[[Any], object], seconds: float = 30
    ) -> Any:
        """Look until it is as wanted; what was seen last is in the error."""
        deadline = time.monotonic() + seconds
        while not wanted(seen := look()):
            assert time.monotonic() < deadline, seen
            time.sleep(0.05)
        return seen

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._remote, *arguments], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout or done.stderr


def program() -> str:
    """The one that tests/editor/install-others found or made."""
    unpacked = Path(__file__).parent / "unpacked" / "nvim"
    found = str(unpacked) if unpacked.is_file() else shutil.which("nvim")
    assert found, "run tests/editor/install-others first"
    return found


def ours(options: dict[str, Any]) -> str:
    """The configuration file that comes with Footnote, with these settings."""
    command = ", ".join(map(json.dumps, (sys.executable, "-I", "-m", "lsp_server")))
    return _INIT.format(
        configuration=json.dumps(str(CONFIGURATION)),
        command=f"{{ {command} }}",
        options=f"vim.json.decode({json.dumps(json.dumps(options))})",
    )


@contextmanager
def neovim(
    folder: Path, file: str, init: str, env: dict[str, str], ghosts: str = OUR_GHOSTS
) -> Iterator[Neovim]:
    """Open a file in a Neovim with this configuration and no other; `ghosts` is the namespace of ghost text."""
    configuration = folder / "init.lua"
    configuration.write_text(_QUIET + init)
    homes = {f"XDG_{kind}_HOME": str(folder) for kind in ("STATE", "CACHE", "DATA", "CONFIG")}
    socket = folder / "nvim.socket"
    with (folder / "nvim.log").open("w") as log:
        process = subprocess.Popen(
            [program(), "--headless", "-u", str(configuration), "--listen", str(socket), file],
            cwd=folder,
            env={**os.environ, **homes, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        opened = Neovim(program(), socket, ghosts)
        opened.wait(socket.exists, bool)
        yield opened
        opened.press("<C-\\><C-n>:qa!<CR>")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
