"""A real Helix in a terminal of its own: keys go in as a person types them, and what the screen shows is read."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte

UNPACKED = Path(__file__).parent / "unpacked"
_SIZE = (40, 120)  # lines, columns
_LANGUAGES = """
[language-server.footnote]
command = {command}
args = {arguments}
config = {options}

[[language]]
name = "python"
language-servers = ["footnote"]
"""


class _Screen(pyte.Screen):
    """What the terminal shows; it answers when it is asked what it is."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__(_SIZE[1], _SIZE[0])
        self._answer = answer

    def report_device_status(self, mode: int, **_private: Any) -> None:
        super().report_device_status(mode)

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Helix:
    """One that runs."""

    def __init__(self, terminal: int, file: Path) -> None:
        self._terminal = terminal
        self._file = file
        self._screen = _Screen(self.press)
        self._stream = pyte.ByteStream(self._screen)

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def screen(self) -> str:
        """What is shown by now, without the spaces at the ends of lines."""
        while select.select([self._terminal], [], [], 0.05)[0]:
            try:
                self._stream.feed(os.read(self._terminal, 1 << 16))
            except OSError:
                break  # it has ended
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, wanted: Callable[[str], object], seconds: float = 30) -> str:
        """Look until the screen is as wanted."""
        deadline = time.monotonic() + seconds
        while not wanted(seen := self.screen()):
            assert time.monotonic() < deadline, seen
        return seen

    def ask_until(self, item: str) -> None:
        """Ask for completions by the key for it until one is there: at first no model is."""

        def is_shown(screen: str) -> bool:
            if item not in screen:
                self.press("\x18")
                time.sleep(0.3)
            return item in screen

        self.wait(is_shown)

    def rest(self) -> None:
        """Leave what is open and the mode in which text is typed; keys right behind Escape would be Alt's."""
        self.press("\x1b")
        self.wait(lambda screen: " NOR " in screen)

    def saved(self, ending: str, seconds: float = 30) -> None:
        """Save the file, and wait until it ends so."""
        self.rest()
        self.press(":w\r")
        deadline = time.monotonic() + seconds
        while not (text := self._text()).endswith(ending):
            assert time.monotonic() < deadline, f"{text[-400:]}\n\n{self.screen()}"
            self.screen()

    def _text(self) -> str:
        try:
            return self._file.read_text("utf-8")
        except FileNotFoundError:  # for a moment, while it is written
            return ""


@contextmanager
def helix(folder: Path, file: str, options: dict[str, Any], env: dict[str, str]) -> Iterator[Helix]:
    """Open a file in a Helix that knows our server and no other."""
    program = UNPACKED / "debian" / "usr" / "lib" / "hx"
    assert program.is_dir(), "run tests/editor/install-others first"
    configuration = folder / "configuration" / "helix"
    configuration.mkdir(parents=True)
    (configuration / "languages.toml").write_text(
        _LANGUAGES.format(
            command=json.dumps(sys.executable),
            arguments=json.dumps(["-I", "-m", "lsp_server"]),
            options="{ "
            + ", ".join(f"{name} = {json.dumps(told)}" for name, told in options.items())
            + " }",
        )
    )
    homes = {
        "XDG_CONFIG_HOME": str(configuration.parent),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HELIX_RUNTIME": str(program / "runtime"),
        "TERM": "xterm-256color",
    }
    terminal, inside = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
    process = subprocess.Popen(
        [str(UNPACKED / "start"), str(program / "hx"), file],
        cwd=folder,
        env={**os.environ, **homes, **env},
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    )
    os.close(inside)
    try:
        opened = Helix(terminal, folder / file)
        opened.wait(lambda screen: " NOR " in screen)
        yield opened
        opened.rest()
        opened.press(":qa!\r")
        opened.wait(lambda _screen: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
