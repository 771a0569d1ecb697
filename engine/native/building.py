"""Which kernels are compiled (by hatch_build.py, when Footnote is installed), and which fits this processor.

Imports nothing of ours: installing needs it too.
"""

import ctypes
import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from functools import cache
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
_SUFFIX = ".dll" if sys.platform == "win32" else ".so"


def kinds(machine: str) -> Mapping[str, str]:
    """The kinds of processor to compile for, the best first, with the compiler's flags."""
    if machine.lower() in ("x86_64", "amd64"):
        return _X86
    return _ARM if machine.lower() in ("aarch64", "arm64") else {}


def libraries(machine: str) -> Mapping[str, str]:
    """Name and compiler's flags of every library that this source makes, the best first."""
    # Of a source that was changed no old library is taken.
    source = _hash(SOURCE, *sorted(SOURCE.parent.glob("*.h")))[:12]
    return {f"kernel-{kind}-{source}{_SUFFIX}": flags for kind, flags in kinds(machine).items()}


def built(folder: Path = _HERE) -> list[Path]:
    """The libraries of this source that are there and whole, the best first."""
    try:
        hashes = json.loads((folder / HASHES).read_text())
        paths = [folder / name for name in libraries(platform.machine())]
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


def _hash(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
