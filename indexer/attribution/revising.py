"""The matches of an edited text: what changed is looked up again with the lines around it, the rest only moves.

That costs what the edit touches instead of what the text holds. It can miss what only the whole text tells (a table of
literals that repeats far away, say), so whoever uses it checks the whole text once more when there is time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from indexer.attribution.embedded import HOLDING
from indexer.attribution.generated import is_generated
from indexer.attribution.lexing import lexer_of, unify_line_ends
from indexer.attribution.matches import Match

_MARGIN_LINES = (
    60  # around a change: more than hits of one chain lie apart, and than is aligned past them
)
_NEAR_LINES = 12  # a match that ends so close to where the part was cut may go on behind it
_MOST = 0.6  # share of a text from which all of it is looked up


@dataclass(frozen=True, slots=True)
class Span:
    """Lines of a text from 0, the last excluded."""

    first: int
    last: int

    def meets(self, other: "Span", *, within: int = 0) -> bool:
        return self.first - within < other.last and other.first < self.last + within

    def joined(self, other: "Span") -> "Span":
        return Span(min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True, slots=True)
class Edit:
    """All lines but the first `head` and the last `tail` may have changed."""

    head: int
    tail: int
    n_before: int
    n_after: int

    @property
    def shift(self) -> int:
        return self.n_after - self.n_before

    def moved(self, match: Match) -> Match | None:
        """A match of the text before, where it is now; None where it was edited."""
        if match.end_line <= self.head:
            return match
        if match.start_line > self.n_before - self.tail:
            return _later(match, self.shift)
        return None

    def around(self, match: Match) -> Span:
        """The lines of an edited match now."""
        first = min(match.start_line - 1, self.head)
        last = max(match.end_line + self.shift, self.n_after - self.tail)
        return Span(first, min(last, self.n_after))


def edit_of(before: Sequence[str], after: Sequence[str]) -> Edit:
    """What two versions of a text have in common at both ends."""
    most = min(len(before), len(after))
    head = 0
    while head < most and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < most - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return Edit(head, tail, len(before), len(after))


def revised(
    before: Sequence[str],
    matches: Sequence[Match],
    after: Sequence[str],
    check: Callable[[str], list[Match]],
    *,
    language: str,
) -> list[Match] | None:
    """The matches of the lines `after`, from those of the lines `before` and of a part that is checked anew.

    None where the whole text had better be checked: an edit in most of it, one that opens a string or comment, a
    text whose top says that a program wrote it, which a part does not, or one that holds blocks of code.
    """
    edit = edit_of(before, after)
    if edit.head == edit.n_before == edit.n_after:
        return list(matches)
    if is_generated(before) or is_generated(after) or language in HOLDING:
        return None
    kept = [moved for each in matches if (moved := edit.moved(each)) is not None]
    part = Span(edit.head, edit.n_after - edit.tail)
    for each in matches:
        if edit.moved(each) is None:
            part = part.joined(edit.around(each))
    margin = _MARGIN_LINES
    while True:
        part = _with_margin(part, kept, margin, edit.n_after)
        if part.last - part.first > _MOST * edit.n_after:
            return None
        if _reads_otherwise(before, after, part.last, edit, language):
            return None
        found = _checked(after, part, check, language)
        cut = [each for each in found if _is_cut(each, part, edit.n_after)]
        if not cut:
            break
        margin *= 2
    left = [each for each in kept if not _span(each).meets(part)]
    return sorted([*left, *found], key=lambda each: (each.start_line, each.end_line))


def _with_margin(part: Span, matches: Sequence[Match], margin: int, n_lines: int) -> Span:
    """The part and the lines around it, with every match that it touches as a whole."""
    part = Span(max(0, part.first - margin), min(n_lines, part.last + margin))
    touched = True
    while touched:
        spans = [_span(each) for each in matches]
        wider = part
        for span in spans:
            if span.meets(part, within=_NEAR_LINES):
                wider = wider.joined(
                    Span(span.first - _NEAR_LINES - 1, span.last + _NEAR_LINES + 1)
                )
        wider = Span(max(0, wider.first), min(n_lines, wider.last))
        touched = wider != part
        part = wider
    return part


def _checked(
    lines: Sequence[str], part: Span, check: Callable[[str], list[Match]], language: str
) -> list[Match]:
    above = unify_line_ends("".join(lines[: part.first]))
    head = lexer_of(language).opening(above)
    text = head + unify_line_ends("".join(lines[part.first : part.last]))
    return [_later(match, part.first) for match in check(text)]


def _reads_otherwise(
    before: Sequence[str], after: Sequence[str], end: int, edit: Edit, language: str
) -> bool:
    """Whether what follows the part is now inside a string or comment, or no longer is."""
    if end == edit.n_after:
        return False
    opening = lexer_of(language).opening
    then = unify_line_ends("".join(before[: end - edit.shift]))
    now = unify_line_ends("".join(after[:end]))
    return opening(then) != opening(now)


def _is_cut(match: Match, part: Span, n_lines: int) -> bool:
    """Whether a match comes so close to where the part was cut that it may go on there."""
    span = _span(match)
    return (part.first > 0 and span.first < part.first + _NEAR_LINES) or (
        part.last < n_lines and span.last > part.last - _NEAR_LINES
    )


def _span(match: Match) -> Span:
    return Span(match.start_line - 1, match.end_line)


def _later(match: Match, lines: int) -> Match:
    return replace(match, start_line=match.start_line + lines, end_line=match.end_line + lines)
