"""What hatchling runs when Footnote is installed or packaged: our C is compiled, the libraries lie beside it.

Where there is no compiler, ziglang's is fetched for the occasion; where that fails too, Footnote is
installed without them and what is slower takes their place. Run as a program it compiles into the source tree.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
# Each says what to compile (SOURCE, HASHES, libraries) and finds it later; they import nothing of ours. A library
# has the name of its source, which lies beside SOURCE.
BUILT = ("engine/native/building.py", "indexer/attribution/native/building.py")
_COMPILER = "ziglang>=0.14"  # clang in a wheel
_FLAGS = "-O3 -std=gnu11 -shared -pthread -fvisibility=hidden -fno-math-errno -Wno-psabi".split()
_TIMEOUT_S = 120


class Libraries(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Compiles into the source tree; a wheel takes the libraries from there."""

    def dependencies(self) -> list[str]:
        return [] if compiler(os.environ) else [_COMPILER]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        command = compiler(os.environ)
        root = Path(self.root)
        compiled = False
        for each in BUILT:
            building = load(root / each)
            made, said = [], "there is no C compiler"
            if command is not None:
                made, said = compile_all(building, building.SOURCE.parent, command)
            if not made:
                name = building.SOURCE.relative_to(root)
                sys.stderr.write(f"footnote: installed without {name}: {said}\n")
                continue
            compiled = True
            made.append(made[0].with_name(building.HASHES))
            build_data["artifacts"] += [f"/{path.relative_to(root).as_posix()}" for path in made]
        if compiled and version != "editable":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"


def load(path: Path) -> Any:
    """A module without the package around it, whose needs are not there yet."""
    spec = importlib.util.spec_from_file_location(f"footnote_{path.parent.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiler(environment: Mapping[str, str]) -> list[str] | None:
    """The command of a C compiler: CC where it is set, the system's, or that of the ziglang wheel."""
    for name in (environment.get("CC", ""), "cc", "gcc", "clang"):
        parts = name.split()
        if parts and (found := shutil.which(parts[0])):
            return [found, *parts[1:]]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def compile_all(building: Any, folder: Path, command: Sequence[str]) -> tuple[list[Path], str]:
    """Compile all libraries of a source; what was made, and what the compiler said of the rest.

    One whose flags the compiler does not know is left out. Libraries of another source are removed.
    """
    made: list[Path] = []
    said = ""
    for name, flags in building.libraries(platform.machine()).items():
        path = folder / name
        source = building.SOURCE.with_name(f"{_kind(path)}.c")
        partial = path.with_name(f"{name}.{os.getpid()}")
        try:
            run = subprocess.run(
                [*command, *_options(command, flags), "-o", str(partial), str(source), "-lm"],
                capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
            if run.returncode == 0:
                partial.replace(path)
                made.append(path)
            said += run.stderr if run.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            said += f"{error}\n"
        finally:
            partial.unlink(missing_ok=True)
    if made:
        partial = folder / f"{building.HASHES}.{os.getpid()}"
        partial.write_text(json.dumps({path.name: _hash(path) for path in made}))
        partial.replace(folder / building.HASHES)
        kinds = set(map(_kind, made))
        for old in set(folder.glob(f"*-*{made[0].suffix}")) - set(made):
            if _kind(old) in kinds:
                old.unlink(missing_ok=True)
    return made, said


def _options(command: Sequence[str], flags: str) -> list[str]:
    if "ziglang" in command:  # it has names of its own for the parts of an ARM processor
        flags = flags.replace("-march=armv8.2-a+", "-mcpu=generic+")
    position = [] if sys.platform == "win32" else ["-fPIC"]
    return [*_FLAGS, *position, *flags.split()]


def _kind(path: Path) -> str:
    return path.name.partition("-")[0]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _platform() -> str:
    from packaging.tags import platform_tags

    return next(iter(platform_tags()))


def main() -> int:
    command = compiler(os.environ)
    if command is None:
        sys.stderr.write("no C compiler: install one (Debian: apt-get install gcc) or set CC\n")
        return 2
    failed = False
    for each in BUILT:
        building = load(ROOT / each)
        made, said = compile_all(building, building.SOURCE.parent, command)
        sys.stderr.write(said)
        sys.stdout.write("".join(f"{path.relative_to(ROOT)}\n" for path in made))
        failed |= not made
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
