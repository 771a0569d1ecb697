"""A passage beside its source: how the source begins, and what is called otherwise here."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer import Source

_SHOWN_LINES = 8
_SHOWN_WORDS = 4
_MOST_WORDS = 1500  # that are compared: enough for what can be shown of it
_WORD = re.compile(r"\w+|[^\w\s]")


def beginning(source_text: str, source: Source) -> list[str]:
    """The first lines of the source's passage, as far left as they go."""
    lines = _lines(source_text)[source.start_line - 1 : source.end_line]
    shown = textwrap.dedent("\n".join(lines[:_SHOWN_LINES])).split("\n")
    return [*shown, "..."] if len(lines) > _SHOWN_LINES else shown


def differences(source_text: str, source: Source, here: str) -> str:
    """A sentence about the words that differ, the most frequent first; empty where none do."""
    there = "\n".join(_lines(source_text)[source.start_line - 1 : source.end_line])
    from rapidfuzz.distance import Levenshtein

    ours, theirs = _words(here), _words(there)
    pairs: Counter[tuple[str, str]] = Counter()
    others = 0
    for edit in Levenshtein.opcodes(theirs, ours):
        old, new = theirs[edit.src_start : edit.src_end], ours[edit.dest_start : edit.dest_end]
        if edit.tag == "replace" and len(old) == len(new):
            pairs.update(zip(old, new, strict=True))
        elif edit.tag != "equal":
            others += max(len(old), len(new))
    shown = pairs.most_common(_SHOWN_WORDS)
    others += sum(pairs.values()) - sum(count for _, count in shown)
    named = ", ".join(f"`{new}` for `{old}`" for (old, new), _ in shown)
    more = f"{others} {'word differs' if others == 1 else 'words differ'}" if others else ""
    said = f"it says {named}" if named else ""
    return f"Here {said}{'; ' if said and more else ''}{more}." if said or more else ""


def fenced(lines: Sequence[str], language: str) -> str:
    """Lines as a block of Markdown, whatever they hold."""
    ticks = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, ticks + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _words(text: str) -> list[str]:
    return _WORD.findall(text)[:_MOST_WORDS]
