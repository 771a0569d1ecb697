"""Where a text has a mark too many: half-typed quotes, or a part cut out of something longer.

From such a mark on code and strings change places, to the end of the text. What stands behind it tells: lines of
code do not make a docstring. Only texts that are asked about are read like this, a second time: a template of code
is a string after all, and the files of the corpus, read once, are whole.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from indexer.attribution.families import PLAIN_SHAPE, Family, Span
from indexer.attribution.lexing import lexer_of_family
from indexer.attribution.tokens import COMMENT, Reading, joined

_FEWEST_LINES = 1  # of code, to say that this is no string
_CODE_SHARE = 0.5
_OPEN_CODE_SHARE = 0.2  # where nothing closes it to the end of the text
_LOOKED_AT = 60  # lines behind a mark
_CODE = re.compile(
    rb"[ \t]*(?:"
    rb"(?:def|class|function|func|fn)[ \t]+\w+[ \t]*[(:{<]|(?:import|return|package)[ \t]+[\w.*{(\[\"']+[^ ]*;?$|"
    rb"(?:return|pass|continue|break|else:|try:|finally:)$|from[ \t]+[\w.]+[ \t]+import\b|"
    rb"(?:if|elif|for|while|with|except)\b.*:$|@\w[\w.]*(?:\(.*)?$|(?:const|let|var)[ \t]+\w+|[\])}]+[;,:)]*$|"
    rb".*(?:[;{}]|=>|->.*:)$|[\w.\[\]\"']+(?:[ \t]*:[ \t]*[\w.\[\], |]+)?[ \t]*[-+*/|&]?=(?:[^=]|$)|"
    rb"(?:(?:await|yield|raise|assert|return|not|new|throw)[ \t]+)*[\w.]*\w[(\[].*[)\],({:;]$"
    rb")"
)

_REMARK = re.compile(rb"^[ \t]*(?:/?\*|//).*", re.MULTILINE)  # a line of one, in a script


class _Extent(NamedTuple):
    """A string or comment that may run over lines, in bytes."""

    start: int
    inside: int
    end: int  # of what is inside
    rule: Span


def resumed(text: str, family: Family) -> Reading | None:
    """A text with unified line ends, read anew behind each mark that is none; None where there is no such mark."""
    data = text.encode("utf-8", "surrogatepass")
    strays = list(_strays(data, family))
    if not strays:
        return None
    lexer = lexer_of_family(family)
    first, mark = strays[0]
    began_inside = _is_prose(data[:first]) and not any(_extents(data[:first], family))
    # What ends a string that began before the text is the only mark that opens nothing.
    borders = [0, *(_end_of_line(data, start) for start, _ in strays), len(data)]
    parts = [data[start:end] for start, end in pairwise(borders)]
    if began_inside:
        parts[0] = mark.encode() + parts[0]
    return joined([lexer.read(each.decode("utf-8", "surrogatepass")) for each in parts if each])


def last_resumption(text: str, family: Family) -> int:
    """From which character on a text is best read, when nothing before it matters: behind its last stray mark."""
    data = text.encode("utf-8", "surrogatepass")
    strays = list(_strays(data, family))
    if not strays:
        return 0
    return len(data[: _end_of_line(data, strays[-1][0])].decode("utf-8", "surrogatepass"))


def _strays(data: bytes, family: Family) -> Iterator[tuple[int, str]]:
    """Where marks stand that open nothing, and the marks."""
    at: int | None = None if _come_in_pairs(data, family) else 0
    while at is not None:
        inside_out = (each for each in _extents(data, family, at) if _is_inside_out(data, each))
        stray = next(inside_out, None)
        at = None
        if stray:
            yield stray.start, stray.rule.closing
            at = _end_of_line(data, stray.start)


def _come_in_pairs(data: bytes, family: Family) -> bool:
    """Whether there are comments alone, each opened behind the end of the one before: then none of them is doubted."""
    rules = [_rule(family, mark) for mark in _marks(family)]
    if any(each.kind != COMMENT and each.opening.encode() in data for each in rules):
        return False
    return all(
        each.closing.encode() in opened
        for each in rules
        if each.kind == COMMENT
        for opened in data.split(each.opening.encode())[1:]
    )


def _extents(data: bytes, family: Family, at: int = 0) -> Iterator[_Extent]:
    """The strings and comments over several lines in what follows, read as code from there."""
    marks = {each: data.find(each, at) for each in _marks(family)}
    is_open = lexer_of_family(family).is_open
    while found := _first(marks):
        start, mark = found
        after = inside = start + len(mark)
        if is_open(data[at:inside]) == start - at:
            rule = _rule(family, mark)
            closing = rule.closing.encode()
            end = data.find(closing, inside)
            # Where nothing is taken from its meaning the first mark closes.
            while (
                end >= 0
                and (rule.doubles or data.find(b"\\", inside, end) >= 0)
                and is_open(data[start : end + len(closing)]) >= 0
            ):
                end = data.find(closing, end + 1)
            end, after = (end, end + len(closing)) if end >= 0 else (len(data), len(data))
            if data.count(b"\n", inside, end):
                yield _Extent(start, inside, end, rule)
            at = after
        else:
            # It stands in a remark or another string, which ends with its line.
            at = max(at, data.rfind(b"\n", at, start))
        # The others are known still: one that does not come would be looked for to the end each time.
        marks |= {
            each: data.find(each, after) for each, place in marks.items() if 0 <= place < after
        }


def _first(marks: dict[bytes, int]) -> tuple[int, bytes] | None:
    """Which mark comes first, and where; -1 says that one does not come."""
    return min(((place, each) for each, place in marks.items() if place >= 0), default=None)


def _is_inside_out(data: bytes, extent: _Extent) -> bool:
    """Whether what is inside is code. A remark may hold some, and is doubted only when it seems to hold another.

    What remarks in it say is not counted either way.
    """
    inside = data[extent.inside : extent.end]
    if extent.rule.kind == COMMENT and extent.end < len(data):
        other = re.search(rb"\n[ \t]*" + re.escape(extent.rule.opening.encode()), inside)
        if other is None:
            return False
        inside = inside[: other.start()]
    if extent.rule.opening == "`":
        inside = _REMARK.sub(b"", inside)
    return _is_code(inside, _CODE_SHARE if extent.end < len(data) else _OPEN_CODE_SHARE)


@cache
def _marks(family: Family) -> tuple[bytes, ...]:
    """The marks that may stand in a text once too often; of single quotes every line has some."""
    spans = () if family.islands else family.spans
    return tuple(each.opening.encode() for each in spans if _may_stray(each))


def _may_stray(span: Span) -> bool:
    quotes = span.opening == span.closing and span.opening in ('"""', "'''", "`")
    return span.lines and span.shape == PLAIN_SHAPE and (quotes or span.kind == COMMENT)


@cache
def _rule(family: Family, opening: bytes) -> Span:
    return next(each for each in family.spans if each.opening.encode() == opening)


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _is_code(data: bytes, share: float) -> bool:
    lines = _lines(data)
    code = len(list(filter(_CODE.match, lines)))
    return code >= max(_FEWEST_LINES, share * len(lines))


def _is_prose(data: bytes) -> bool:
    return bool(data.strip()) and not any(map(_CODE.match, _lines(data)))


def _lines(data: bytes) -> list[bytes]:
    """What is written on the first lines, without the stars that remarks often begin with."""
    rows = (each.strip().removeprefix(b"*").strip() for each in data.split(b"\n"))
    return [each for each in rows if each][:_LOOKED_AT]
