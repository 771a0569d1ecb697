"""How a passage is credited: by a comment above it, and by a section among the third-party notices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

from indexer.attribution.licensing import identifiers
from lsp_server.citations import lines

if TYPE_CHECKING:
    from indexer import Source

NOTICES = "THIRD_PARTY_NOTICES.md"
_TITLE = "# Third-party notices\n\nCode in this project that is also in the packages below, and their licences.\n"
_HEADER_LINES = 60  # of a file, in which its copyright is looked for
_MOST_HOLDERS = 5
_SEEN_ABOVE = 12  # lines above a passage in which its comment is looked for
_HOLDER = re.compile(
    r"(?:SPDX-FileCopyrightText:|Copyright(?: \(c\)| ©)?:?|©|\(c\))\s+(\S.*)$",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
# Of languages that the lexer reads word by word; those that it knows say themselves what is a comment.
_MARKS = {
    "restructuredtext": (".. ", ""),
    **dict.fromkeys("haskell ada vhdl elm purescript".split(), ("-- ", "")),
    **dict.fromkeys("fsharp jsonc json5 typst".split(), ("// ", "")),
    "markdown": ("<!-- ", " -->"),
    "ocaml": ("(* ", " *)"),
    **dict.fromkeys("clojure commonlisp emacs-lisp lisp racket scheme".split(), (";; ", "")),
    **dict.fromkeys("bibtex erlang latex matlab tex".split(), ("% ", "")),
    "vb": ("' ", ""),
    "bat": ("REM ", ""),
}
_WITHOUT_COMMENTS = frozenset({"json", "jsonl", "plaintext", "csv", ""})
# What has to stand in the first lines of a file, if it is to be there at all.
_LEADING = re.compile(r"#!|<\?|<!doctype|@charset|#.*coding[:=]", re.IGNORECASE)


def comment(source: Source, holders: Sequence[str], *, language: str) -> list[str]:
    """The lines of a comment in this language, without indentation; none where it has no comments."""
    if language in _WITHOUT_COMMENTS:
        return []
    before, after = _MARKS.get(language) or _marks_of_family(language)
    said = [
        *(f"SPDX-FileCopyrightText: {holder}" for holder in holders),
        f"SPDX-License-Identifier: {source.license}",
        f"Source: {_named(source)} {lines(source)}",
        *([source.url] if source.url else []),
    ]
    # What ends a comment must not stand in it.
    return [f"{before}{line.replace(after.strip(), '') if after else line}{after}" for line in said]


def _marks_of_family(language: str) -> tuple[str, str]:
    from indexer.attribution.families import (
        family_of,  # with numpy behind it, it would delay the start
    )
    from indexer.attribution.tokens import COMMENT

    marks = [each for each in family_of(language).spans if each.kind == COMMENT]
    to_line_ends = [f"{each.opening} " for each in marks if each.closing == "\n"]
    if to_line_ends or not marks:
        return "// " if "// " in to_line_ends else "".join(to_line_ends[:1]) or "# ", ""
    return f"{marks[0].opening} ", f" {marks[0].closing}"


def line_for_comment(text: Sequence[str], line: int) -> int:
    """Where the comment about a passage that begins at a line (from 0) goes: not above what has to lead a file."""
    while line < min(2, len(text)) and _LEADING.match(text[line]):
        line += 1
    return line


def is_credited(source: Source, above: Sequence[str]) -> bool:
    """Whether a comment about this source stands among the lines above a passage."""
    wanted = f"Source: {_named(source)} "
    return any(wanted in line for line in above[-_SEEN_ABOVE:])


def holders_in(text: str) -> list[str]:
    """Who holds the copyright, as far as the head of a file says so."""
    found: dict[str, None] = {}
    for line in text.splitlines()[:_HEADER_LINES]:
        match = _HOLDER.search(re.sub(r"\s*(?:\*/|-->)?\s*$", "", line))
        if match is not None and _YEAR.search(match[1]):
            found[match[1].strip(" .,")] = None
    return list(found)[:_MOST_HOLDERS]


def has_section(notices: str, source: Source) -> bool:
    """Whether the notices have this package under the licence of this source: files of one may differ."""
    return _facts_about(notices.splitlines(), source) is not None


def another_use(notices: str, source: Source, *, used_in: str) -> tuple[int, str] | None:
    """A line about one more use for the section that is there, and before which line; None where it stands."""
    listed = notices.splitlines()
    facts = _facts_about(listed, source)
    if facts is None or any(_use(source, used_in) in listed[at] for at in facts):
        return None
    last = max(at for at in facts if listed[at].startswith(("- Used in:", "- Licence:")))
    return last + 1, f"{_use(source, used_in)} {lines(source)})\n"


def _facts_about(notices: Sequence[str], source: Source) -> range | None:
    """The lines of the section about a package and licence, up to the licence's text."""
    for start, line in enumerate(notices):
        if line.strip() == f"## {source.release}":
            end = start + 1
            while end < len(notices) and not notices[end].startswith(("~~~", "## ")):
                end += 1
            if _licence(source) in (each.strip() for each in notices[start:end]):
                return range(start, end)
    return None


def _licence(source: Source) -> str:
    return f"- Licence: {source.license or 'unknown'}"


def _use(source: Source, used_in: str) -> str:
    return f"- Used in: `{used_in}` (from `{source.path}`"


def section(source: Source, holders: Sequence[str], *, used_in: str) -> str:
    """What is to stand under the title of the notices: whose, from where, and the text of the licence."""
    facts = [
        _licence(source),
        *([f"- Home: <{source.url}>"] if source.url.startswith("http") else []),
        f"{_use(source, used_in)} {lines(source)})",
    ]
    whose = [f"Copyright {holder}" for holder in holders] or [
        f"Copyright (c) the authors of {source.package}"
    ]
    texts = ["\n".join(whose), *map(_text_of, identifiers(source.license))]
    block = "~~~text\n" + "\n\n".join(text.strip("\n") for text in texts) + "\n~~~"
    return f"## {source.release}\n\n" + "\n".join(facts) + f"\n\n{block}\n"


def appended(notices: str, new: str) -> str:
    """What to put behind the notices that are there, with their title where there are none."""
    if not notices.strip():
        return f"{_TITLE}\n{new}"
    return ("" if notices.endswith("\n") else "\n") + f"\n{new}"


def _named(source: Source) -> str:
    return f"{source.release}, {source.path}"


def _text_of(identifier: str) -> str:
    """The text of a licence, or where it can be read."""
    name = identifier.removesuffix("+")
    file = resources.files("lsp_server") / "licences" / f"{name}.txt"
    if not re.fullmatch(r"[\w.-]+", name) or not file.is_file():
        return f"The text of {identifier}: https://spdx.org/licenses/{name}.html"
    text = file.read_text(encoding="utf-8")
    if name == "Apache-2.0":
        text += "\nIf the package has a file NOTICE, its text belongs here as well.\n"
    return text
