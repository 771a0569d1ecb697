"""Whether this machine runs on its battery: asked seldom, and away from the event loop."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsp_server.scheduler import LookupThread

_SUPPLIES = Path("/sys/class/power_supply")
_EVERY_S = 60.0
_PATIENCE_S = 5.0


class Power:
    """What was last read; mains until then, and where nothing can be told."""

    def __init__(
        self, read: Callable[[], bool] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read or on_battery
        self._clock = clock
        self._due_at = -float("inf")
        self.on_battery = False

    @property
    def is_due(self) -> bool:
        return self._clock() >= self._due_at

    async def look(self, thread: LookupThread) -> None:
        """Read it anew; what cannot be read is taken for mains."""
        self._due_at = self._clock() + _EVERY_S
        try:
            self.on_battery = await thread.run(self._read)
        except (OSError, ValueError, subprocess.SubprocessError):
            self.on_battery = False


def on_battery() -> bool:
    """Ask the system. Raises OSError, ValueError or SubprocessError."""
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        return drawn_from_battery(_pmset())
    return discharging(_SUPPLIES)


def discharging(supplies: Path) -> bool:
    """Linux: whether a battery of the machine itself, not of a mouse, gives power."""
    return any(
        _said(each / "type") == "Battery"
        and _said(each / "scope") != "Device"
        and _said(each / "status") == "Discharging"
        for each in sorted(supplies.glob("*"))
    )


def _said(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def drawn_from_battery(told: str) -> bool:
    """macOS: what the first line of `pmset -g batt` says."""
    return "'Battery Power'" in told.partition("\n")[0]


def _pmset() -> str:
    asked = ["/usr/bin/pmset", "-g", "batt"]
    return subprocess.run(
        asked, capture_output=True, text=True, check=True, timeout=_PATIENCE_S
    ).stdout


def _windows() -> bool:
    import ctypes

    told = ctypes.create_string_buffer(12)  # SYSTEM_POWER_STATUS; its first byte is 0 on battery
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 -- known on Windows only
    return bool(kernel.GetSystemPowerStatus(told)) and told.raw[0] == 0
