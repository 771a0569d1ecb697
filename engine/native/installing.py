"""What hatchling runs when Footnote is installed or packaged: the kernels are compiled.

Where there is no compiler, ziglang's is fetched for the occasion; where that fails too, Footnote is
installed without kernels and another backend computes.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_COMPILER = "ziglang>=0.14"  # clang in a wheel


def _building() -> Any:
    """The module beside this one, without the package around it, whose needs are not there yet."""
    path = Path(__file__).with_name("building.py")
    spec = importlib.util.spec_from_file_location("footnote_building", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kernels(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Compiles into the source tree; a wheel takes the libraries from there."""

    def dependencies(self) -> list[str]:
        return [] if _building().compiler(os.environ) else [_COMPILER]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        building = _building()
        command = building.compiler(os.environ)
        made, said = [], "there is no C compiler"
        if command is not None:
            made, said = building.compile_all(building.SOURCE.parent, command)
        if not made:
            sys.stderr.write(f"footnote: installed without kernels of its own: {said}\n")
            return
        root = Path(self.root)
        made.append(made[0].with_name(building.HASHES))
        build_data["artifacts"] += [f"/{path.relative_to(root).as_posix()}" for path in made]
        if version != "editable":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"


def _platform() -> str:
    from packaging.tags import platform_tags

    return next(iter(platform_tags()))
