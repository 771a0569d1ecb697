"""What a completion must fit into: the lines around the gap, as the rules want to see them."""

import re
from dataclasses import dataclass, replace

from engine.api import CompletionOptions, Gap
from engine.prose import in_prose, in_string
from engine.window import unix_lines

_BEFORE, _AFTER = 8_000, 4_000  # characters that the rules look at

# A line that ends so expects a block, or the rest of a list, on the lines below.
_OPENER = re.compile(r"(?:[:{\[(]|=>|->)[ \t]*$")


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
    several = options.multiline
    if several is None:
        whole = not gap.skipped and len(gap.prefix) <= _BEFORE
        several = wants_several_lines(around, whole=whole)
    return replace(around, multiline=several)


def wants_several_lines(around: Surroundings, *, whole: bool) -> bool:
    """On a blank line, and behind what opens a block; never in prose, a string or inside a line.

    `whole` says that nothing stands before the text that is looked at.
    """
    line = around.line_before
    if around.line_after.strip() or (line.strip() and not opens_block(around)):
        return False
    return not (
        in_prose(around.before, around.language, whole=whole) or in_string(line, around.language)
    )


def opens_block(around: Surroundings) -> bool:
    return _OPENER.search(around.line_before) is not None
