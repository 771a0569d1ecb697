"""What a completion must fit into: the lines around the gap, as the rules want to see them."""

import re
from dataclasses import dataclass, replace

from engine.api import CompletionOptions, Gap
from engine.window import unix_lines

_BEFORE, _AFTER = 8_000, 4_000  # characters that the rules look at

_HASH_COMMENTS = frozenset(
    "python shellscript yaml toml ruby perl r julia makefile dockerfile cmake elixir nix "
    "powershell coffeescript properties ini".split()
)
_DASH_COMMENTS = frozenset("lua sql haskell elm ada vhdl".split())
_NO_COMMENTS = frozenset("markdown plaintext git-commit json html xml restructuredtext".split())
# A line that ends so expects a block, or the rest of a list, on the lines below.
_OPENER = re.compile(r"(?:[:{\[(]|=>|->)[ \t]*$")
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Text around the gap, with one character per line end whatever the document has."""

    before: str
    after: str
    language: str = ""
    multiline: bool = False
    automatic: bool = False
    line_end: str = "\n"  # of the document

    @property
    def line_before(self) -> str:
        """The gap's line up to the gap."""
        return self.before[self.before.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        """The gap's line behind the gap."""
        return self.after.split("\n", 1)[0]

    @property
    def next_line(self) -> str:
        """The first line below that is not blank, without trailing blanks; empty if none is."""
        for line in self.after.split("\n")[1:]:
            if line.strip():
                return line.rstrip()
        return ""

    @property
    def previous_line(self) -> str:
        """The first line above that is not blank, likewise."""
        for line in reversed(self.before.split("\n")[:-1]):
            if line.strip():
                return line.rstrip()
        return ""


def surroundings_of(gap: Gap, options: CompletionOptions) -> Surroundings:
    """Look around; `multiline` is decided here unless the options say it."""
    before, after = gap.prefix[-_BEFORE:], gap.suffix[:_AFTER]
    crlf = before.count("\r\n") + after.count("\r\n")
    line_end = "\r\n" if 2 * crlf > before.count("\n") + after.count("\n") else "\n"
    around = Surroundings(
        before=unix_lines(before),
        after=unix_lines(after),
        language=gap.language,
        automatic=options.automatic,
        line_end=line_end,
    )
    several = wants_several_lines(around) if options.multiline is None else options.multiline
    return replace(around, multiline=several)


def wants_several_lines(around: Surroundings) -> bool:
    """On a blank line, and behind what opens a block; never in a comment or inside a line."""
    if around.line_after.strip() or in_block_comment(around.before, around.language):
        return False
    if not around.line_before.strip():
        return True
    return opens_block(around) and not in_comment(around.line_before, around.language)


def in_block_comment(before: str, language: str) -> bool:
    """Whether a gap behind this text is in a comment that began on a line of its own with `/*`."""
    if comment_mark(language) != "//":
        return False
    start = max((found.start() for found in _BLOCK_COMMENT.finditer(before)), default=len(before))
    return start < len(before) and "*/" not in before[start:]


def opens_block(around: Surroundings) -> bool:
    return _OPENER.search(around.line_before) is not None


def comment_mark(language: str) -> str:
    """What begins a comment to the end of the line in a language; empty if nothing does."""
    if language in _NO_COMMENTS:
        return ""
    if language in _HASH_COMMENTS:
        return "#"
    return "--" if language in _DASH_COMMENTS else "//"


def in_comment(line_before: str, language: str) -> bool:
    """Whether a gap behind this text is in a comment that ends with the line."""
    mark = comment_mark(language)
    if not mark:
        return False
    quote = ""
    for index, character in enumerate(line_before):
        if quote:
            if character == quote and line_before[index - 1] != "\\":
                quote = ""
        elif character in "\"'`":
            quote = character
        elif line_before.startswith(mark, index):
            return True
    return False
