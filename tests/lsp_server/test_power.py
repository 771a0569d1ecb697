"""On battery: how that is told, and what is left undone then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lsp_server.power import Power, discharging, drawn_from_battery
from lsp_server.scheduler import LookupThread


def supply(folder: Path, name: str, **said: str) -> None:
    (folder / name).mkdir()
    for what, text in said.items():
        (folder / name / what).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("battery", "is_used"),
    [
        ({"type": "Battery", "status": "Discharging"}, True),
        ({"type": "Battery", "status": "Discharging", "scope": "System"}, True),
        ({"type": "Battery", "status": "Discharging", "scope": "Device"}, False),
        ({"type": "Battery", "status": "Not charging"}, False),
        ({"type": "Battery"}, False),
    ],
)
def test_linux_tells_by_the_batteries_of_the_machine(
    tmp_path: Path, battery: dict[str, str], is_used: bool
) -> None:
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", **battery)

    assert discharging(tmp_path) is is_used
    assert not discharging(tmp_path / "nowhere")


def test_macos_tells_in_a_line() -> None:
    assert drawn_from_battery("Now drawing from 'Battery Power'\n -InternalBattery-0 80%")
    assert not drawn_from_battery("Now drawing from 'AC Power'\n -InternalBattery-0 80%")


async def test_it_is_asked_once_a_minute_and_mains_where_it_cannot_be_told() -> None:
    now, told = [0.0], iter([True, OSError("no such thing")])

    def read() -> bool:
        said: Any = next(told)
        if isinstance(said, OSError):
            raise said
        return said

    power, thread = Power(read, lambda: now[0]), LookupThread("power")
    assert (power.on_battery, power.is_due) == (False, True)
    await power.look(thread)
    assert (power.on_battery, power.is_due) == (True, False)

    now[0] = 60.0
    assert power.is_due
    await power.look(thread)
    assert not power.on_battery
