"""Compiles kernel.c and what it includes, and finds what was compiled. Imports nothing of ours: installing needs it too.

Run as a program it compiles into the folder that it stands in: python -m engine.native.building.
"""

import ctypes
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_HERE = Path(__file__).parent
SOURCE = _HERE / "kernel.c"
HASHES = "kernel-hashes.json"  # of the libraries: to load half of one is to die of it
_X86 = {  # the best first; a library says itself whether it fits the processor it is loaded on
    "avx512": "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c",
    "avxvnni": "-mavxvnni -mavx2 -mfma -mf16c",
    "avx2": "-mavx2 -mfma -mf16c",
}
_ARM = {"dotprod": "-march=armv8.2-a+dotprod"}
_FLAGS = "-O3 -std=gnu11 -shared -pthread -fvisibility=hidden -fno-math-errno -Wno-psabi".split()
_SUFFIX = ".dll" if sys.platform == "win32" else ".so"
_TIMEOUT_S = 120


def kinds(machine: str) -> Mapping[str, str]:
    """The kinds of processor to compile for, the best first, with the compiler's flags."""
    if machine.lower() in ("x86_64", "amd64"):
        return _X86
    return _ARM if machine.lower() in ("aarch64", "arm64") else {}


def compiler(environment: Mapping[str, str]) -> list[str] | None:
    """The command of a C compiler: CC where it is set, the system's, or that of the ziglang wheel."""
    for name in (environment.get("CC", ""), "cc", "gcc", "clang"):
        parts = name.split()
        if parts and (found := shutil.which(parts[0])):
            return [found, *parts[1:]]
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def compile_all(folder: Path, command: Sequence[str]) -> tuple[list[Path], str]:
    """Compile for every kind of processor; what was made, and what the compiler said of the rest.

    A kind that the compiler does not know is left out. Libraries of another source are removed.
    """
    made: list[Path] = []
    said = ""
    position = [] if sys.platform == "win32" else ["-fPIC"]
    for kind, flags in kinds(platform.machine()).items():
        if "ziglang" in command:  # it has names of its own for the parts of an ARM processor
            flags = flags.replace("-march=armv8.2-a+", "-mcpu=generic+")
        path = folder / _name(kind)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            run = subprocess.run(
                [*command, *_FLAGS, *position, *flags.split(), "-o", str(partial), str(SOURCE), "-lm"],
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
        partial = folder / f"{HASHES}.{os.getpid()}"
        partial.write_text(json.dumps({path.name: _hash(path) for path in made}))
        partial.replace(folder / HASHES)
        for old in set(folder.glob(f"kernel-*{_SUFFIX}")) - set(made):
            old.unlink(missing_ok=True)
    return made, said


def built(folder: Path = _HERE) -> list[Path]:
    """The libraries of this source that are there and whole, the best first."""
    try:
        hashes = json.loads((folder / HASHES).read_text())
        paths = [folder / _name(kind) for kind in kinds(platform.machine())]
        return [path for path in paths if path.is_file() and hashes.get(path.name) == _hash(path)]
    except (OSError, ValueError, AttributeError):
        return []


def fits(path: Path) -> bool:
    """Whether this processor has the instructions of a library."""
    try:
        return bool(ctypes.CDLL(str(path)).footnote_fits())
    except (OSError, AttributeError):
        return False


@cache
def library() -> Path | None:
    """The best library for this processor, or None: nothing was compiled, or nothing fits."""
    return next((path for path in built() if fits(path)), None)


def _name(kind: str) -> str:
    """Of a source that was changed no old library is taken."""
    return f"kernel-{kind}-{_hash(SOURCE, *sorted(SOURCE.parent.glob('*.h')))[:12]}{_SUFFIX}"


def _hash(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def main() -> int:
    command = compiler(os.environ)
    if command is None:
        sys.stderr.write("no C compiler: install one (Debian: apt-get install gcc) or set CC\n")
        return 2
    made, said = compile_all(_HERE, command)
    sys.stderr.write(said)
    sys.stdout.write("".join(f"{path.name}\n" for path in made))
    return 0 if made else 1


if __name__ == "__main__":
    sys.exit(main())
