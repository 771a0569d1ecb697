"""Which libraries are compiled of lexer.c and the other sources here (by hatch_build.py, at installation), and where they are.

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
LEXER, ALIGNER, ROWS, FEATURES, VOTING = "lexer", "aligner", "rows", "features", "voting"
KINDS = (LEXER, ALIGNER, ROWS, FEATURES, VOTING)
SOURCE = _HERE / "lexer.c"  # the others beside it
HASHES = "lexer-hashes.json"  # of the libraries: to load half of one is to die of it
_EXACT = "-ffp-contract=off"  # numbers are the same to the last bit
_FLAGS = {kind: "" if kind == LEXER else _EXACT for kind in KINDS}
_SOURCES = {
    LEXER: ("lexer.c",),
    ALIGNER: ("aligner.c", "rows.h"),
    ROWS: ("rows.c", "rows.h"),
    FEATURES: ("features.c", "rows.h"),
    VOTING: ("voting.c", "rows.h"),
}
_ENTRANCES = {
    LEXER: "footnote_lex",
    ALIGNER: "footnote_align",
    ROWS: "footnote_hits",
    FEATURES: "footnote_counts",
    VOTING: "footnote_together",
}
_SUFFIX = ".dll" if sys.platform == "win32" else ".so"


def libraries(machine: str) -> Mapping[str, str]:
    """Name and compiler's flags of the libraries that the sources make, the same for every processor."""
    # Of a source that was changed no old library is taken.
    return {
        f"{kind}-{_hash(*(SOURCE.with_name(each) for each in sources))[:12]}{_SUFFIX}": _FLAGS[kind]
        for kind, sources in _SOURCES.items()
    }


def built(folder: Path = _HERE) -> list[Path]:
    """The libraries of these sources that are there and whole."""
    try:
        hashes = json.loads((folder / HASHES).read_text())
        paths = [folder / name for name in libraries("")]
        return [path for path in paths if path.is_file() and hashes.get(path.name) == _hash(path)]
    except (OSError, ValueError, AttributeError):
        return []


def fits(path: Path) -> bool:
    """Whether a library can be loaded here."""
    try:
        return hasattr(ctypes.CDLL(str(path)), _ENTRANCES[_kind(path)])
    except (OSError, KeyError):
        return False


@cache
def library(kind: str = LEXER) -> Path | None:
    """The library of a kind, or None where it was not compiled, or for another system."""
    return next((path for path in built() if _kind(path) == kind and fits(path)), None)


def _kind(path: Path) -> str:
    return path.name.partition("-")[0]


def _hash(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
