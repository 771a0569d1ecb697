"""A folder that nobody may look into, also where the tests are run by root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def close(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the system neither lists the folder nor tells about what is in it."""
    scandir, stat = os.scandir, Path.stat

    def listed(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def told(path: Path, **keywords: Any) -> os.stat_result:
        if folder in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **keywords)

    monkeypatch.setattr(os, "scandir", listed)
    monkeypatch.setattr(Path, "stat", told)
