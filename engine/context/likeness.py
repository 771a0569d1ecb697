"""Which passage of a text is most like what stands around a cursor, by the words they share."""

import re
from dataclasses import dataclass

_WORD = re.compile(r"[A-Za-z_]\w+")
# Words of every file say nothing about this one.
_COMMON = frozenset(
    "and as async await class const def elif else except export extends false for from function if "
    "import in interface is let new none not null or pass raise return self string the this throw "
    "true try type undefined var while with yield".split()
)
LINES = 20  # of a passage
_STEP = 10


@dataclass(frozen=True, slots=True)
class Passage:
    """Some lines of a text, and the words in them."""

    start: int  # characters
    end: int
    words: frozenset[str]


def words(text: str) -> frozenset[str]:
    return frozenset(each for each in _WORD.findall(text) if each.lower() not in _COMMON)


def passages(text: str) -> tuple[Passage, ...]:
    """Overlapping passages that cover a text."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    if starts[-1] < len(text):
        starts.append(len(text))
    out = []
    for first in range(0, max(1, len(starts) - 1 - (LINES - _STEP)), _STEP):
        start, end = starts[first], starts[min(first + LINES, len(starts) - 1)]
        out.append(Passage(start, end, words(text[start:end])))
    return tuple(out)


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of words that two passages have in common (Jaccard), 0 to 1."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) if common else 0.0
