"""Turns text into two streams of token ids, one exact and one with names and literals abstracted.

N1 keeps every token but layout, parentheses, trailing commas, statement ends and the kind of quote: what
formatters add and take away. Two names side by side still tell a call. N2b ("semi-abstract") also writes V for every name except attributes, keywords and called builtins,
N for numbers and S for strings, so that a consistent renaming leaves it as it was. Both have one id per
token at the same positions. The words of docstrings and comments stand among the code as tokens of the
kind PROSE: a short function is often known by its documentation.

The speed comes from three things: one `findall` without groups, one dictionary from token text to a row of
tables, and numpy for everything that depends on neighbours.
"""

import itertools
import threading
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import xxhash

from indexer.attribution.families import FAMILIES, PROSE_WORDS, Family, family_of

Ids = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]

# Kinds of token; DROPPED, NEWLINE and COMMENT never leave the lexer.
DROPPED, NEWLINE, NAME, KEPT, CALLED, NUMBER, STRING = range(7)
PREFIX, COMMA, OPEN, CLOSE, DOT, MARK, COLON, PROSE, COMMENT, ARGUMENT = range(7, 17)

_STRING_HEAD = 24  # characters of a string that its exact id depends on; see `_string_content`
_STRING_PREFIXES = frozenset(
    {"r", "b", "u", "f", "t", "rb", "br", "fr", "rf", "R", "B", "F", "U", "BR", "RB"}
)
_MARKS = {
    ",": COMMA,
    "(": OPEN,
    "[": OPEN,
    "{": OPEN,
    ")": CLOSE,
    "]": CLOSE,
    "}": CLOSE,
    ".": DOT,
    ":": COLON,
}
_QUOTES = "\"'`"


def word_id(text: str) -> int:
    """The exact id of a word or mark."""
    return int(xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")))


NAME_ID, NUMBER_ID, STRING_ID = word_id("\0V"), word_id("\0N"), word_id("\0S")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text; all four arrays have one entry per token."""

    exact: Ids  # N1
    abstract: Ids  # N2b
    lines: npt.NDArray[np.int32]  # 0-based line on which the token starts
    kinds: npt.NDArray[np.uint8]
    sizes: npt.NDArray[
        np.uint8
    ]  # how many written tokens it stands for: itself and dropped ones before it

    def __len__(self) -> int:
        return len(self.exact)

    def part(self, start: int, end: int) -> "Tokens":
        """The tokens from `start` up to `end`, as views."""
        cut = slice(start, end)
        return Tokens(
            self.exact[cut], self.abstract[cut], self.lines[cut], self.kinds[cut], self.sizes[cut]
        )

    def on_later_lines(self, lines: int) -> "Tokens":
        """The same tokens as part of a text in which this many lines come before."""
        return replace(self, lines=self.lines + np.int32(lines))


class _Rows(dict[str, int]):
    """Token text to row number, with the columns of the rows; filled as texts are met."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._family = family
        self._lock = threading.Lock()
        self.exact = np.zeros(4096, np.uint64)
        self.abstract = np.zeros(4096, np.uint64)
        self.kinds = np.zeros(4096, np.uint8)
        self.newlines = np.zeros(4096, np.int32)
        self._used = 0

    def __missing__(self, token: str) -> int:
        with self._lock:
            text = token.rstrip(" ") if token[0] != "\n" else token
            kind, newlines, content = self._describe(text)
            key = token
            if kind == COMMENT or (kind == STRING and len(token) > 40):
                # Comments and long strings are many and rarely seen twice: they share rows.
                key = f"\0{kind} {newlines} {content}"
                found = self.get(key)
                if found is not None:
                    return found
            row = self._append(kind, newlines, content)
            self[key] = row
            return row

    def _describe(self, text: str) -> tuple[int, int, str]:
        first = text[0]
        if first == "\n":
            return NEWLINE, text.count("\n"), ""
        if text.startswith(self._family.comments):
            return COMMENT, text.count("\n"), ""
        if first in _QUOTES and self._family.abstract:
            return STRING, text.count("\n"), _string_content(text)
        if first == "/" and len(text) > 1:
            return STRING, 0, text[:_STRING_HEAD]  # a regular expression
        return self._word_kind(text), 0, text

    def _word_kind(self, text: str) -> int:
        if text in self._family.kept:
            return KEPT
        if text in self._family.called:
            return CALLED
        if text[0].isdigit():
            return NUMBER
        if text in _STRING_PREFIXES and self._family.docstrings:
            return PREFIX
        if text[0].isalpha() or text[0] == "_":
            return NAME
        if text in ";\\" and self._family.abstract:
            return DROPPED
        return _MARKS.get(text, MARK)

    def _append(self, kind: int, newlines: int, content: str) -> int:
        row = self._used
        if row == len(self.kinds):
            for column in ("exact", "abstract", "kinds", "newlines"):
                old = getattr(self, column)
                setattr(self, column, np.concatenate([old, np.zeros_like(old)]))
        exact = word_id("\0s" + content) if kind == STRING else word_id(content)
        abstract = exact
        if self._family.abstract:
            abstract = {
                NAME: NAME_ID,
                PREFIX: NAME_ID,
                CALLED: NAME_ID,
                NUMBER: NUMBER_ID,
                STRING: STRING_ID,
            }.get(kind, exact)
        self.exact[row], self.abstract[row] = exact, abstract
        self.kinds[row], self.newlines[row] = kind, newlines
        self._used = row + 1
        return row


def _string_content(text: str) -> str:
    """The head of a string, whatever its quotes, layout and line breaks.

    Only the head counts because formatters split and join long literals: "ab" "cd" and "abcd" then agree.
    """
    quote = text[:3] if text[:3] in ('"""', "'''") else text[0]
    content = text[len(quote) :].removesuffix(quote)[: 4 * _STRING_HEAD]
    content = (
        content.replace("\\\n", "").replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"')
    )
    return " ".join(content.split())[:_STRING_HEAD]


class Lexer:
    """Cuts the texts of one family. Safe to share between threads."""

    def __init__(self, family: Family, *, max_rows: int = 100_000) -> None:
        self._family = family
        self._max_rows = max_rows
        self._rows = _Rows(family)
        self._prose_rows = _Rows(PROSE_WORDS)

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text. Any text has some: there is no such thing as a syntax error here."""
        return self.scan(text)[0]

    def tokens_and_words(self, text: str) -> tuple[Tokens, list[str]]:
        """The tokens and, for each, what was written (with at most one trailing blank)."""
        tokens, at, found = self.scan(text)
        found.append("")  # prose, which is at -1, is not among the words
        return tokens, [found[i] for i in at.tolist()]

    def names(self, text: str, start: int, end: int) -> list[str]:
        """The names, as written, among the tokens from `start` up to `end`."""
        tokens, words = self.tokens_and_words(text)
        kinds = tokens.kinds[start:end]
        named = np.flatnonzero((kinds == NAME) | (kinds == ARGUMENT))
        return [words[start + place] for place in named.tolist()]

    def scan(self, text: str) -> tuple[Tokens, Places, list[str]]:
        """The tokens, for each the number of what was written (-1 for prose), and all that was written."""
        rows = self._rows
        if len(rows) > self._max_rows:
            rows = self._rows = _Rows(self._family)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        found = self._family.pattern.findall(text)
        at = np.fromiter(map(rows.__getitem__, found), np.intp, len(found))
        # The columns are read after the rows: they only grow, and cover every row handed out.
        kinds, newlines = rows.kinds[at], rows.newlines[at]
        lines = np.cumsum(newlines, dtype=np.int32) - newlines
        keep, remarks = self._significant(kinds)
        keep, tokens = self._tokens(rows, at, keep, lines, remarks)
        if not len(remarks):
            return tokens, keep, found
        prose, of_remark = self._prose([found[i] for i in remarks.tolist()], lines[remarks])
        order = np.argsort(np.concatenate([keep, remarks[of_remark]]), kind="stable")
        keep = np.concatenate([keep, np.full(len(prose), -1)])[order]
        return _merged(tokens, prose, order), keep, found

    def _tokens(
        self,
        rows: _Rows,
        at: Places,
        keep: Places,
        lines: npt.NDArray[np.int32],
        remarks: Places,
    ) -> tuple[Places, Tokens]:
        """The code tokens among those at `keep`, and where they are."""
        written = rows.kinds[at] != NEWLINE
        written[remarks] = False
        passed = np.cumsum(written)
        chosen = at[keep]
        kinds, exact, abstract = rows.kinds[chosen], rows.exact[chosen], rows.abstract[chosen]
        if self._family.abstract and len(keep) > 1:
            # An attribute's name, and a builtin that is called, are not the author's to rename.
            own = (kinds[1:] == NAME) & (kinds[:-1] == DOT)
            abstract[1:][own] = exact[1:][own]
            labelled = (kinds[1:-1] == NAME) & ((kinds[:-2] == COMMA) | (kinds[:-2] == OPEN))
            labelled &= (exact[2:] == _EQUALS) | (kinds[2:] == COLON)
            kinds[1:-1][labelled] = ARGUMENT
            called = (kinds[:-1] == CALLED) & (exact[1:] == _ROUND[0])
            abstract[:-1][called] = exact[:-1][called]
            solid = (exact != _ROUND[0]) & (exact != _ROUND[1])
            keep, kinds, exact, abstract = keep[solid], kinds[solid], exact[solid], abstract[solid]
        sizes = np.minimum(np.diff(passed[keep], prepend=0), 255).astype(np.uint8)
        return keep, Tokens(exact, abstract, lines[keep], kinds, sizes)

    def _prose(self, remarks: list[str], lines: npt.NDArray[np.int32]) -> tuple[Tokens, Places]:
        """The words of some remarks that start on these lines, and which remark each is from."""
        rows = self._prose_rows
        if len(rows) > self._max_rows:
            rows = self._prose_rows = _Rows(PROSE_WORDS)
        found = [PROSE_WORDS.pattern.findall(text) for text in remarks]
        sizes = np.fromiter(map(len, found), np.intp, len(found))
        at = np.fromiter(
            map(rows.__getitem__, itertools.chain.from_iterable(found)), np.intp, sizes.sum()
        )
        of_remark = np.repeat(np.arange(len(found)), sizes)
        newlines = rows.newlines[at]
        passed = np.cumsum(newlines, dtype=np.int32) - newlines
        starts = np.cumsum(sizes) - sizes
        passed -= np.append(passed, 0)[np.minimum(starts, len(passed))][of_remark]
        word = rows.kinds[at] != NEWLINE
        at, of_remark = at[word], of_remark[word]
        exact = rows.exact[at]
        kinds = np.full(len(at), PROSE, np.uint8)
        ones: npt.NDArray[np.uint8] = np.ones(len(at), np.uint8)
        return Tokens(exact, exact, lines[of_remark] + passed[word], kinds, ones), of_remark

    def _significant(self, kinds: npt.NDArray[np.uint8]) -> tuple[Places, Places]:
        """Positions of the tokens that count, in order; and of the comments and docstrings."""
        if not self._family.abstract:
            return np.flatnonzero((kinds != DROPPED) & (kinds != NEWLINE)), np.zeros(0, np.intp)
        at = np.flatnonzero((kinds != DROPPED) & (kinds != COMMENT))
        remarks = np.flatnonzero(kinds == COMMENT)
        kind = kinds[at]
        if self._family.docstrings:
            keep = np.ones(len(at), bool)
            keep[:-1] = ~((kind[:-1] == PREFIX) & (kind[1:] == STRING))
            at = at[keep]
            alone = _alone(kinds[at])
            remarks = np.sort(np.concatenate([remarks, at[alone]]))
            at = at[~alone]
            kind = kinds[at]
        at = at[kind != NEWLINE]
        kind = kinds[at]
        keep = np.ones(len(at), bool)
        keep[:-1] = ~((kind[:-1] == COMMA) & (kind[1:] == CLOSE))
        keep[1:] &= ~((kind[1:] == STRING) & (kind[:-1] == STRING))
        return at[keep], remarks


_ROUND = np.uint64(word_id("(")), np.uint64(word_id(")"))
_EQUALS = np.uint64(word_id("="))


def _merged(one: Tokens, other: Tokens, order: Places) -> Tokens:
    return Tokens(
        *(
            np.concatenate([getattr(one, each.name), getattr(other, each.name)])[order]
            for each in fields(Tokens)
        )
    )


def _alone(kind: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which tokens are strings that stand alone on their lines and belong to no expression."""
    result = np.zeros(len(kind), bool)
    strings = np.flatnonzero(kind == STRING)
    if not len(strings):
        return result
    padded = np.concatenate([[NEWLINE], kind, [NEWLINE]])  # token i is at i + 1
    strings = strings[(padded[strings] == NEWLINE) & (padded[strings + 2] == NEWLINE)]
    # The nearest token before the string that is no newline; position 0 of `padded` stands for none.
    solid = np.where(padded != NEWLINE, np.arange(len(padded)), 0)
    before = padded[np.maximum.accumulate(solid)[strings]]
    inside = np.isin(before, (OPEN, COMMA, MARK, DOT, STRING))
    result[strings[~inside]] = True
    return result


@cache
def _shared(name: str) -> Lexer:
    return Lexer(next(each for each in FAMILIES if each.name == name))


def lexer_of_family(family: Family) -> Lexer:
    """The lexer, shared by all, of a family."""
    return _shared(family.name)


def lexer_of(language: str) -> Lexer:
    """The lexer, shared by all, of a language (an editor's language id)."""
    return _shared(family_of(language).name)
