"""Whether a text has begun to repeat itself."""

import re
from collections.abc import Sequence

# (longest period, among the last so many words): a period this short over that many words is a
# loop. The periods are those of Copilot's client.
_LOOPS = ((1, 10), (10, 30), (20, 45), (30, 60))
_WORD = re.compile(r"\w+|[^\w\s]+")
_SAME_LINES = 3


def loops(text: str) -> bool:
    """Whether the text ends in a loop of words."""
    words = _WORD.findall(text)
    return any(
        len(words) >= last and period(words[-last:][::-1]) <= longest for longest, last in _LOOPS
    )


def period(words: Sequence[str]) -> int:
    """The length of the shortest piece that, repeated, gives the words (Knuth-Morris-Pratt)."""
    border = [0] * len(words)
    for index in range(1, len(words)):
        length = border[index - 1]
        while length and words[index] != words[length]:
            length = border[length - 1]
        border[index] = length + (words[index] == words[length])
    return len(words) - border[-1] if words else 0


def repeated_line(text: str) -> int | None:
    """Index of the end of a line that stands three times in a row, or None. Blank lines are air."""
    previous, count, first_end = "", 0, 0
    index = 0
    for line in text.split("\n"):
        bare = line.strip()
        if bare:
            count = count + 1 if bare == previous else 1
            if count == 1:
                previous, first_end = bare, index + len(line)
            if count >= _SAME_LINES:
                return first_end
        index += len(line) + 1
    return None
