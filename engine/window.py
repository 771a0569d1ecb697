"""Which text around the gap fits the model's window, chosen so that keystrokes keep its beginning.

The start of the prefix moves in steps, never with each character: tokens before the cursor then
stay the same from one keystroke to the next and their keys and values are reused. The suffix
changes its length in steps too, for in the order that is served it comes first. All work is on the
last and the first few thousand characters, however long the document is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.api import Gap
from engine.retokenizing import Retokenizer
from engine.tokenizer import Vocabulary, clean

# What a completion may depend on. Generous: at most about a third of it becomes tokens.
_PREFIX_CHARACTERS = 32_768
_SUFFIX_CHARACTERS = 8_192
_PATH_TOKENS = 48
_CHARACTERS_PER_TOKEN = 5  # more than code has, so that the budget of tokens decides
_LINE_SEARCH = 1_024  # characters in which a line must begin for the window to begin with it


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids of what the model sees."""

    prefix: list[int]
    suffix: list[int]
    path: list[int]


def crop(gap: Gap) -> Gap:
    """The gap with no more text than a completion may depend on, surrogate pairs left whole."""
    cut = max(0, len(gap.prefix) - _PREFIX_CHARACTERS)
    if 0 < cut < len(gap.prefix) and _low(gap.prefix[cut]):
        cut += 1
    end = _SUFFIX_CHARACTERS
    if len(gap.suffix) > end and _low(gap.suffix[end]):
        end -= 1
    return replace(
        gap,
        prefix=gap.prefix[cut:],
        suffix=gap.suffix[:end],
        path=gap.path[-1024:],
        skipped=gap.skipped + cut,
    )


def _low(character: str) -> bool:
    """The second half of a surrogate pair; a lone one is nobody's half, but no harm is done."""
    return "\udc00" <= character <= "\udfff"


def unix_lines(text: str) -> str:
    """The text with one character per line end, as the model was trained."""
    return text.replace("\r\n", "\n")


def window_of(gap: Gap, tokenizer: Vocabulary | Retokenizer, room: int) -> Window:
    """The tokens to show, at most `room` of prefix and suffix together and 48 of the path.

    Three quarters of the room belong to the prefix; what one side does not use the other may have.
    """
    step = max(1, room // 8)
    text_before = _from_anchor(gap, room)
    ids, starts = tokenizer.encode_with_starts(text_before)
    text_after = clean(unix_lines(gap.suffix[: room * _CHARACTERS_PER_TOKEN]))
    after, after_starts = tokenizer.encode_with_starts(text_after)
    prefix_room = room - min(len(after), room // 4)
    prefix = ids[_start(starts, text_before, prefix_room, step) :]
    # The prefix grows with every keystroke; in steps, so that the suffix does not change with it.
    taken = min(prefix_room, -(-len(prefix) // step) * step)
    suffix = after[: _whole(after_starts, room - taken)]
    path = tokenizer.encode(gap.path.replace("\\", "/"))[-_PATH_TOKENS:] if gap.path else []
    return Window(prefix, suffix, path)


def _from_anchor(gap: Gap, room: int) -> str:
    """The end of the prefix from an anchor: a line start behind a fixed place in the document."""
    span = min(room * _CHARACTERS_PER_TOKEN, _PREFIX_CHARACTERS // 2)
    total = gap.skipped + len(gap.prefix)
    anchor = max(0, (total - span) // span * span)
    start = max(0, anchor - gap.skipped)
    if start:
        line = gap.prefix.find("\n", start - 1, start + _LINE_SEARCH)
        start = line + 1 if line >= 0 else start + _low(gap.prefix[start])
    return clean(unix_lines(gap.prefix[start:]))


def _start(starts: Sequence[int], text: str, room: int, step: int) -> int:
    """How many tokens to leave out: whole steps, and then up to a line start if one is near."""
    over = len(starts) - room
    if over <= 0:
        return 0
    least = -(-over // step) * step
    for index in range(least, min(least + step, len(starts))):
        if text[starts[index] - 1] == "\n":
            return index
    while least < len(starts) and starts[least] == starts[least - 1]:
        least += 1  # the tokens of one character stay together
    return min(least, len(starts))


def _whole(starts: Sequence[int], count: int) -> int:
    """The largest number of tokens up to `count` that ends with a whole character."""
    if count >= len(starts):
        return len(starts)
    while count > 0 and starts[count] == starts[count - 1]:
        count -= 1
    return max(0, count)
