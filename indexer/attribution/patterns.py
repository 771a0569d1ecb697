"""The lexer where native/lexer.c could not be compiled, and what that one is compared with: regular expressions.

One pattern a family finds what is written; what depends on neighbours is decided in a second pass.
"""

import re
from functools import cache
from typing import NamedTuple

import numpy as np

from indexer.attribution import families
from indexer.attribution.families import Family, Span
from indexer.attribution.tokens import (
    ARGUMENT,
    CALLED,
    CLOSE,
    COLON,
    COMMA,
    COMMENT,
    DOT,
    DROPPED,
    MARK,
    NAME,
    NAME_ID,
    NUMBER,
    NUMBER_ID,
    OPEN,
    PREFIX,
    PROSE,
    STRING,
    STRING_ID,
    Reading,
    Tokens,
    bytes_id,
)  # fmt: skip

_HEAD = 24  # bytes of a string that its id depends on
_MAX_WORDS = 200_000  # that are remembered
_MARKS = {
    b",": COMMA, b"(": OPEN, b"[": OPEN, b"{": OPEN, b")": CLOSE, b"]": CLOSE, b"}": CLOSE, b".": DOT,
    b":": COLON, b";": DROPPED, b"\\": DROPPED,
}  # fmt: skip
_ABSTRACT = {
    NAME: NAME_ID, ARGUMENT: NAME_ID, CALLED: NAME_ID, NUMBER: NUMBER_ID, STRING: STRING_ID,
}  # fmt: skip
_NOTHING = -1  # the kind of what stands before the first token, and after the last
_LINE_FEED, _BACKSLASH = b"\n\\"
_CALL, _EQUALS = bytes_id(b"("), bytes_id(b"=")
_ROUND = {_CALL, bytes_id(b")")}

_WORD = rb"[A-Za-z_0-9\x80-\xff]"
_NO_WORD = rb"(?![A-Za-z_0-9\x80-\xff])"
_PROSE = re.compile(_WORD + rb"++|\n")
_SAID = re.compile(
    rb"\\[^\n]|" + _WORD + rb"++|\n"
)  # in a string, where a backslash takes the next byte with it
_CHANGED = re.compile(rb"\\(?:\n|n|'|\")")
_CHANGES = {b"\\\n": b"", b"\\n": b"\n", b"\\'": b"'", b'\\"': b'"'}
_ENDS_LINE = re.compile(rb"[ \t\r\f\v;\\]*+(?:[\n#]|\Z)")

# Every span has a group around it, one that ends where its inside begins, and one where that ends, if it does.
# A slash starts a regular expression only where no value can stand before it. The bounds keep a text
# of nothing but such slashes from being read to its end from each of them.
_REGEX = (
    rb"()(?:(?<=[=(,:\[!&|?{};])|(?<=[=(,:\[!&|?] )|(?<=return ))/(?![*/ ])"
    rb"(?:[^/\\\n\[]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n]){0,200}+\]){1,1500}+/[a-z]*+()"
)
_CHARACTER = rb"'()(?:\\[^\n][^'\\\n]{0,10}+|[^'\\\n\x80-\xff]|[\xc0-\xff][\x80-\xbf]{1,3}+)(')"


def _heredoc(opening: bytes) -> bytes:
    tag = rb"[-~]?+(?P<quote>[\"']?+)(?P<tag>[A-Z_][A-Z_0-9]{0,31}+)" + _NO_WORD + rb"(?P=quote)"
    end = rb"[ \t]*+(?P=tag)" + _NO_WORD
    lines = rb"(?:\n(?!" + end + rb")[^\n]*+)*+"
    return opening + tag + rb"[^\n]*+(?=(\n?))" + lines + rb"(?:\n" + end + rb"())?+"


def _raw(opening: bytes) -> bytes:
    name = b"tag_" + opening.rstrip(b'"')  # a family has several of these
    end = rb"\)(?P=" + name + rb")\""
    tag = rb"(?P<" + name + rb">" + _WORD + rb"{0,32}+)\(()"
    return opening + tag + rb"(?:[^)]++|(?!" + end + rb")\))*+(" + end + rb")?+"


def _plain(span: Span, opening: bytes) -> bytes:
    closing = span.closing.encode()
    if closing in (b"", b"\n"):
        return opening + rb"()" + (rb"[^\n]*+" if closing else b"") + rb"()"
    first, rest = re.escape(closing[:1]), re.escape(closing[1:])
    stops = first + (rb"\\" if span.escapes else b"") + (b"" if span.lines else rb"\n")
    inside = rb"[^" + stops + rb"]++"
    if span.escapes:
        inside += rb"|\\."
    if span.doubles:
        inside += rb"|" + first + first
    if rest:
        inside += rb"|" + first + rb"(?!" + rest + rb")"
    return opening + rb"()(?:" + inside + rb")*+(" + first + rest + rb")?+"


def _pattern(span: Span) -> bytes:
    opening = re.escape(span.opening.encode())
    match span.shape:
        case families.PATTERN:
            return _REGEX
        case families.CHARACTER:
            return _CHARACTER
        case families.HEREDOC:
            return _heredoc(opening)
        case families.RAW:
            return _raw(opening)
        case families.SEPARATE:
            return _plain(span, rb"(?<![^ \t\n\r\f\v])" + opening)
        case _:
            return _plain(span, opening)


class _Rule(NamedTuple):
    span: Span
    inside: int  # the groups where its inside begins and ends
    outside: int


@cache
def _compiled(family: Family) -> tuple[re.Pattern[bytes], dict[int, _Rule]]:
    """The pattern of a family, and its spans by the number of the group around each."""
    wordy = [each for each in family.spans if _PROSE.match(each.opening.encode())]
    others = [each for each in family.spans if each not in wordy]
    rules: dict[int, _Rule] = {}
    parts: list[bytes] = []
    number = 1
    for each in (*wordy, *others):
        parts.append(rb"(" + _pattern(each) + rb")")
        after = number + re.compile(parts[-1]).groups
        rules[number] = _Rule(each, after - 2, after - 1)
        number = after
    parts.insert(len(wordy), _WORD + rb"++|\n[ \t\n\r\f\v]*+")
    return re.compile(rb"|".join([*parts, rb"[^ \t\n\r\f\v]"]), re.DOTALL), rules


class PatternLexer:
    """Cuts the texts of one family. Safe to share between threads."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._reserved = family.reserved()
        self._words: dict[bytes, tuple[int, int]] = {}

    def read(self, data: bytes) -> Reading:
        """The tokens of a text in UTF-8 with unified line ends."""
        found = _Found(self._family, data)
        pattern, rules = _compiled(self._family)
        for match in pattern.finditer(data):
            if match.lastindex is not None:
                found.add_span(match, rules[match.lastindex])
            elif data[match.start()] == _LINE_FEED:
                found.begin_line(match.group().count(b"\n"))
            else:
                found.add(*self._known(match.group()), match.start(), match.end())
        return _reading(found)

    def open(self, data: bytes) -> int:
        """Where a string or comment begins that nothing closes, or -1."""
        pattern, rules = _compiled(self._family)
        for match in pattern.finditer(data):
            if match.lastindex is not None and match.end() == len(data):
                rule = rules[match.lastindex]
                if rule.span.lines and match.end(rule.outside) < 0:
                    return match.start()
        return -1

    def _known(self, written: bytes) -> tuple[int, int]:
        """Kind and exact id of a word or mark."""
        known = self._words.get(written)
        if known is None:
            if len(self._words) >= _MAX_WORDS:
                self._words = {}
            exact = bytes_id(written.lower() if self._family.folds else written)
            known = self._words[written] = self._kind(written, exact), exact
        return known

    def _kind(self, written: bytes, exact: int) -> int:
        if not _PROSE.match(written):
            return _MARKS.get(written, MARK)
        return NUMBER if written[:1].isdigit() else self._reserved.get(exact, NAME)


class _Token(NamedTuple):
    kind: int
    exact: int
    line: int
    start: int
    end: int
    size: int = 1  # written tokens: itself and what was dropped before it


_END = _Token(_NOTHING, 0, 0, 0, 0)


class _Found:
    """What is written, in its order; the first pass."""

    def __init__(self, family: Family, data: bytes) -> None:
        self.family, self.data = family, data
        self.tokens: list[_Token] = []
        self._line = 0
        self._dropped = 0  # written tokens since the last that was kept
        self._fresh = True  # whether a line began since then
        self._before = _NOTHING  # its kind
        self._was = True, _NOTHING  # the same before that one

    def begin_line(self, count: int) -> None:
        self._line += count
        self._fresh = True

    def add(self, kind: int, exact: int, start: int, end: int) -> None:
        if kind == DROPPED:
            self._dropped += 1
            return
        self.tokens.append(_Token(kind, exact, self._line, start, end, 1 + self._dropped))
        self._was = self._fresh, self._before
        self._dropped, self._fresh, self._before = 0, False, kind

    def add_span(self, match: re.Match[bytes], rule: _Rule) -> None:
        (start, end), span = match.span(), rule.span
        closed = match.end(rule.outside) >= 0
        inside, outside = match.end(rule.inside), match.start(rule.outside) if closed else end
        if span.kind == STRING:
            self._add_string(start, end, inside, outside)
        elif span.kind == COMMENT:
            self._add_prose(start, end)
        else:
            self.add(span.kind, bytes_id(match.group()), start, end)

    def _add_string(self, start: int, end: int, inside: int, outside: int) -> None:
        if self.tokens and self.tokens[-1].kind == PREFIX and self.tokens[-1].end == start:
            self._dropped = self.tokens.pop().size
            self._fresh, self._before = self._was
        if self.family.docstrings and self._is_docstring(end):
            self._add_prose(inside, outside)
            self._dropped, self._fresh, self._before = 0, False, STRING
            return
        self.add(STRING, _string_id(self.data[inside:outside]), start, end)
        if outside - inside > _HEAD:  # of which the id does not tell
            self._line += self.data.count(b"\n", start, inside)
            self._add_prose(inside, outside, _SAID)
            start = outside
        self._line += self.data.count(b"\n", start, end)

    def _is_docstring(self, end: int) -> bool:
        expected = self._before in (OPEN, COMMA, MARK, DOT, STRING)
        return self._fresh and not expected and bool(_ENDS_LINE.match(self.data, end))

    def _add_prose(self, start: int, end: int, pattern: re.Pattern[bytes] = _PROSE) -> None:
        for match in pattern.finditer(self.data, start, end):
            word = match.group()
            if word == b"\n":
                self._line += 1
            elif word[0] != _BACKSLASH:
                self.tokens.append(
                    _Token(PROSE, bytes_id(word), self._line, match.start(), match.end())
                )


def _string_id(content: bytes) -> int:
    """The id of a string: of its head, whatever its quotes, layout and line breaks.

    Only the head counts because formatters split and join long literals: "ab" "cd" and "abcd" then agree.
    """
    content = _CHANGED.sub(lambda match: _CHANGES[match.group()], content)
    return bytes_id(b"\0s" + b" ".join(content.split())[:_HEAD].rstrip())


def _reading(found: _Found) -> Reading:
    """The tokens with what depends on their neighbours; the second pass."""
    family = found.family
    kept: list[_Token] = []
    abstract: list[int] = []
    before, carried = _NOTHING, 0
    for number, token in enumerate(found.tokens):
        kind = token.kind
        if kind == PROSE:
            kept.append(token)
            abstract.append(token.exact)
            continue
        after = _next_code(found.tokens, number + 1)
        dropped = (
            (kind == COMMA and after.kind == CLOSE)
            or (kind == STRING and before == STRING)
            or token.exact in _ROUND
        )
        word = NAME if kind == PREFIX else kind
        # The name of an attribute is not the author's to rename, nor is a builtin that is called.
        own = word in (NAME, CALLED) and before == DOT
        called = word == CALLED and after.exact == _CALL
        assigned = after.exact == _EQUALS and found.data[after.end : after.end + 1] != b"="
        if word == NAME and before in (COMMA, OPEN) and (after.kind == COLON or assigned):
            word = ARGUMENT
        before = kind
        carried += token.size
        if not dropped:
            stays = own or called or not family.abstract
            abstract.append(token.exact if stays else _ABSTRACT.get(word, token.exact))
            kept.append(token._replace(kind=word, size=min(carried, 255)))
            carried = 0
    return _columns(found, kept, abstract)


def _next_code(tokens: list[_Token], number: int) -> _Token:
    while number < len(tokens) and tokens[number].kind == PROSE:
        number += 1
    return tokens[number] if number < len(tokens) else _END


def _columns(found: _Found, kept: list[_Token], abstract: list[int]) -> Reading:
    kinds, exact, lines, starts, ends, sizes = zip(*kept, strict=True) if kept else ((),) * 6
    return Reading(
        data=found.data,
        tokens=Tokens(
            np.array(exact, np.uint64),
            np.array(abstract, np.uint64),
            np.array(lines, np.int32),
            np.array(kinds, np.uint8),
            np.array(sizes, np.uint8),
        ),
        starts=np.array(starts, np.int32),
        ends=np.array(ends, np.int32),
    )
