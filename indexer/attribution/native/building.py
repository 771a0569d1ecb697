"""Which library is compiled of lexer.c (by hatch_build.py, when Footnote is installed), and where it is.

Imports nothing of ours: installing needs it too.
"""

import ctypes
import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
SOURCE = _HERE / "lexer.c"
HASHES = "lexer-hashes.json"  # of the library: to load half of one is to die of it
_SUFFIX = ".dll" if sys.platform == "win32" else ".so"


def libraries(machine: str) -> Mapping[str, str]:
    """Name and compiler's flags of the library that this source makes, the same for every processor."""
    # Of a source that was changed no old library is taken.
    return {f"lexer-{_hash(SOURCE)[:12]}{_SUFFIX}": ""}


def built(folder: Path = _HERE) -> list[Path]:
    """The library of this source, if it is there and whole."""
    try:
        hashes = json.loads((folder / HASHES).read_text())
        paths = [folder / name for name in libraries("")]
        return [path for path in paths if path.is_file() and hashes.get(path.name) == _hash(path)]
    except (OSError, ValueError, AttributeError):
        return []


def fits(path: Path) -> bool:
    """Whether a library can be loaded here."""
    try:
        return bool(ctypes.CDLL(str(path)).footnote_lex)
    except (OSError, AttributeError):
        return False


@cache
def library() -> Path | None:
    """The library, or None where nothing was compiled, or for another system."""
    return next((path for path in built() if fits(path)), None)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
