"""From what the model wrote to what fits the gap: pure rules, applied in a fixed order.

Each rule takes a draft and gives a shorter one, or drops it and says why. Drafts have one
character per line end; the document's own line ends come back at the very end. The fourth rule,
that a word taken back is not shown twice, is kept while decoding: see engine.healing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from engine.brackets import CLOSERS, PAIRS, left_open, open_quote, scan, unclosed, unopened
from engine.credentials import looks_secret
from engine.prefixes import common_prefix
from engine.repetition import loops, repeated_line
from engine.scope import scope_end
from engine.surroundings import Surroundings

MOST_LINES = 12
_LEAST_TEXT = 4  # characters that are not blank, for what nobody asked for
_ONLY_CLOSERS = re.compile(r"[)\]}>;,]+|end;?|\"\"\"|'''|```")
_SAME = 0.05  # of a line's length: edits between lines that count as the same
_LONGEST_LINE = 400  # characters; longer lines are the same only where they are equal
_FAR = 1 << 30
_TALKING = 4  # characters that are not blank: less is no line to compare


@dataclass(frozen=True, slots=True)
class Draft:
    """A completion on its way."""

    text: str
    capped: bool = False  # a limit ended it, not the model
    replace_after: int = 0  # characters after the gap that it takes the place of
    dropped: str = ""  # why there is no completion


Rule = Callable[[Draft, Surroundings], Draft]


def trim(
    raw: str, around: Surroundings, *, capped: bool = False, specials: Sequence[str] = ()
) -> Draft:
    """Apply all rules in their order; the result has the document's line ends.

    `capped` says that a limit cut the text off. A dropped draft has no text.
    """
    draft = without_specials(Draft(raw, capped), specials)
    for rule in RULES:
        draft = rule(draft, around)
        if draft.dropped:
            return Draft("", capped, dropped=draft.dropped)
    return replace(draft, text=draft.text.replace("\n", around.line_end))


def stop_rule(around: Surroundings) -> Callable[[str], str | None]:
    """Why to stop writing, told from all text so far: what the rules would cut off is not made."""

    def stop(text: str) -> str | None:
        if not around.multiline:
            done = "line" if "\n" in text else None
        elif text.count("\n") >= MOST_LINES or scope_end(text, around) is not None:
            done = "scope"
        else:
            done = "scope" if _line_below_written(text, around) else None
        if done is None and (loops(text) or repeated_line(text) is not None):
            done = "repetition"
        return done

    return stop


def without_specials(draft: Draft, specials: Sequence[str]) -> Draft:
    """Rule 1. A special token that was spelled out ends the text."""
    ends = [draft.text.find(special) for special in specials if special]
    return replace(draft, text=draft.text[: min((e for e in ends if e >= 0), default=None)])


def one_line(draft: Draft, around: Surroundings) -> Draft:
    """Rule 2. Where a line is wanted, the text ends with it."""
    if around.multiline:
        return draft
    return replace(draft, text=re.split(r"\r?\n|\r", draft.text, maxsplit=1)[0])


def plain_line_ends(draft: Draft, around: Surroundings) -> Draft:
    """Rule 3. One character per line end; the document's are restored by `trim`."""
    return replace(draft, text=draft.text.replace("\r\n", "\n").replace("\r", "\n"))


def within_scope(draft: Draft, around: Surroundings) -> Draft:
    """Rule 5. Several lines end where their block does, and after twelve of them."""
    if not around.multiline:
        return draft
    text = draft.text[: scope_end(draft.text, around)]
    return replace(draft, text="\n".join(text.split("\n")[:MOST_LINES]))


def whole_lines(draft: Draft, around: Surroundings) -> Draft:
    """Rule 6. What a limit cut off loses its last line, which is not finished."""
    if not draft.capped:
        return draft
    lines = draft.text.split("\n")
    if not "".join(lines[:-1]).strip():
        return replace(draft, dropped="unfinished")
    return replace(draft, text="\n".join(lines[:-1]))


def without_repetition(draft: Draft, around: Surroundings) -> Draft:
    """Rule 7. A loop is dropped; a line said three times in a row is said once."""
    text = draft.text[: repeated_line(draft.text)]
    return replace(draft, text=text, dropped="repetition" if loops(text) else "")


def without_overlap(draft: Draft, around: Surroundings) -> Draft:
    """Rule 8. What follows the gap already is not said again.

    The longest end of the text that the rest of the line and the three lines below begin with.
    Brackets and quotes stay where they close something of the text's own.
    """
    follows = "\n".join(around.after.split("\n")[:4])
    text = draft.text if around.line_after.strip() else draft.text.rstrip()
    for length in range(min(len(text), len(follows)), 0, -1):
        if follows.startswith(text[-length:]) and not _closes_own(text, length, around):
            text = text[:-length]
            break
    if not around.line_after.strip():
        text = text.rstrip()
    return replace(draft, text=text)


def _closes_own(text: str, length: int, around: Surroundings) -> bool:
    """Whether the last `length` characters close a bracket or string that the rest of it opened."""
    cut = len(text) - length
    quote = open_quote(around.line_before, around.language)
    kept = scan(text[:cut], around.language, quote)
    ending = scan(text[cut:], around.language, kept.quote).events
    if kept.quote and kept.quote != quote and any(each == kept.quote for _, each in ending):
        return True
    still_open, closing = unclosed(kept.events), unopened(ending)
    return bool(still_open and closing and PAIRS[still_open[-1]] == closing[0])


def without_closing_line(draft: Draft, around: Surroundings) -> Draft:
    """Rule 9. A last line of closers that stands below already is dropped, if nothing needs it."""
    head, newline, last = draft.text.rstrip().rpartition("\n")
    if not newline or not _ONLY_CLOSERS.fullmatch(last.strip()):
        return draft
    if last.strip() != around.next_line.strip():
        return draft
    opened = unclosed(scan(head, around.language).events)
    if opened and last.strip()[0] == PAIRS[opened[-1]]:
        return draft
    return replace(draft, text=head.rstrip())


def balanced(draft: Draft, around: Surroundings) -> Draft:
    """Rule 10. Closes what it opened, or what was left open before the gap and not closed after.

    A closer that the editor put behind the gap is overwritten when the text brings its own.
    """
    quote = open_quote(around.line_before, around.language)
    waiting = cache(lambda: _left_open(around))  # looked for where a closer asks for it
    ready = _closers_behind(around)
    own: list[str] = []
    taken = 0
    for index, character in scan(draft.text, around.language, quote).events:
        if character in PAIRS:
            own.append(character)
        elif own:
            if PAIRS[own.pop()] != character:
                return replace(draft, text=draft.text[:index].rstrip())
        elif taken < len(ready) and around.after[ready[taken]] == character:
            taken += 1
        elif character not in CLOSERS or waiting() is None:
            continue
        elif not (open_ := waiting()) or PAIRS[open_.pop()] != character:
            text = draft.text[:index].rstrip()
            return replace(draft, text=text, replace_after=_behind(ready, taken))
    # A closer behind the gap may still have to close what the text leaves open.
    return replace(draft, replace_after=_behind(ready, taken - min(taken, len(own))))


def _behind(ready: Sequence[int], taken: int) -> int:
    return ready[taken - 1] + 1 if taken else 0


def _closers_behind(around: Surroundings) -> list[int]:
    """Where the closers stand that the rest of the line begins with; none if a word does."""
    places = []
    for index, character in enumerate(around.line_after):
        if character in CLOSERS or character in "\"'`":
            places.append(index)
        elif not character.isspace():
            break
    return places


def _left_open(around: Surroundings) -> list[str] | None:
    """Brackets that wait for the text to close them, innermost last; None where that is unsure."""
    before = scan(_statement(around.before), around.language)
    if len(before.quote) == 3 or before.quote == "`":
        return None
    after = scan(around.after, around.language, before.quote)
    closing = [each for each in unopened(after.events) if each in CLOSERS]
    return left_open(unclosed(before.events), closing)


def _statement(before: str) -> str:
    """From the last line that begins at the left margin, where brackets are balanced."""
    start = before.rfind("\n") + 1
    while start > 0:
        first = before[start : start + 1]
        if first and not first.isspace() and first not in CLOSERS:
            return before[start:]
        start = before.rfind("\n", 0, start - 1) + 1
    return before


def unlike_next_line(draft: Draft, around: Surroundings) -> Draft:
    """Rule 11. Writes no line that stands below: dropped, or cut before that line."""
    below = around.next_line
    if not below:
        return draft
    lines = draft.text.split("\n")
    if _talks(below) and _alike(around.line_before + lines[0], below):
        return replace(draft, dropped="next-line")
    for number, line in enumerate(lines[1:], 1):
        if _talks(below) and line.rstrip() == below:
            return replace(draft, text="\n".join(lines[:number]).rstrip())
    return draft


def _line_below_written(text: str, around: Surroundings) -> bool:
    """Whether a finished line of the text, not the first, is the one that stands below."""
    below = around.next_line
    return _talks(below) and below in (line.rstrip() for line in text.split("\n")[1:-1])


def unlike_previous_line(draft: Draft, around: Surroundings) -> Draft:
    """Rule 12. Does not begin by writing the line above once more."""
    first = around.line_before + draft.text.split("\n")[0]
    above = around.previous_line
    if _talks(above) and first.strip() == above.strip():
        return replace(draft, dropped="line-above")
    return draft


def _talks(line: str) -> bool:
    return len("".join(line.split())) >= _TALKING and any(c.isalnum() for c in line)


def _alike(one: str, other: str) -> bool:
    one, other = one.strip(), other.strip()
    longest = max(len(one), len(other))
    return one == other or (longest <= _LONGEST_LINE and within(one, other, int(_SAME * longest)))


def within(one: str, other: str, limit: int) -> bool:
    """Whether at most `limit` insertions, deletions and changes make one text the other.

    Levenshtein's table, of which only the band around the diagonal is filled in, and that only
    between what both begin and end with.
    """
    start = common_prefix(one, other)
    one, other = one[start:], other[start:]
    end = common_prefix(one[::-1], other[::-1])
    one, other = one[: len(one) - end], other[: len(other) - end]
    row = {place: place for place in range(limit + 1)}
    for number, character in enumerate(one, 1):
        previous, row = row, {}
        for place in range(max(0, number - limit), min(len(other), number + limit) + 1):
            row[place] = min(
                previous.get(place, _FAR) + 1,
                row.get(place - 1, _FAR) + 1,
                previous.get(place - 1, _FAR) + (character != other[place - 1]) if place else _FAR,
            )
        if not row or min(row.values()) > limit:
            return False
    return row.get(len(other), _FAR) <= limit


def long_enough(draft: Draft, around: Surroundings) -> Draft:
    """Rule 13. What nobody asked for says something."""
    said = len("".join(draft.text.split()))
    least = _LEAST_TEXT if around.automatic else 1
    if said >= least:
        return draft
    return replace(draft, dropped="short" if said else "empty")


def without_secrets(draft: Draft, around: Surroundings) -> Draft:
    """Rule 14. Nothing that looks like a key or a password is ever suggested."""
    secret = looks_secret(draft.text, around.line_before)
    return replace(draft, dropped="secret") if secret else draft


RULES: tuple[Rule, ...] = (
    one_line,
    plain_line_ends,
    within_scope,
    whole_lines,
    without_repetition,
    without_overlap,
    without_closing_line,
    balanced,
    unlike_next_line,
    unlike_previous_line,
    long_enough,
    without_secrets,
)
