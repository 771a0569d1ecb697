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
_DASHES = "sql lua haskell ada vhdl elm purescript"
_SLASHES = (
    "c cpp csharp cuda-cpp dart fsharp go groovy java javascript javascriptreact jsonc kotlin less "
    "objective-c objective-cpp php rust scala scss solidity swift typescript typescriptreact zig"
)
_OTHERS = {
    "html": ("<!-- ", " -->"),
    "xml": ("<!-- ", " -->"),
    "markdown": ("<!-- ", " -->"),
    "vue": ("<!-- ", " -->"),
    "svelte": ("<!-- ", " -->"),
    "css": ("/* ", " */"),
    "ocaml": ("(* ", " *)"),
    "clojure": (";; ", ""),
    "lisp": (";; ", ""),
    "scheme": (";; ", ""),
    "erlang": ("% ", ""),
    "latex": ("% ", ""),
    "matlab": ("% ", ""),
    "vb": ("' ", ""),
    "bat": ("REM ", ""),
}
_MARKS = {
    **dict.fromkeys(_DASHES.split(), ("-- ", "")),
    **dict.fromkeys(_SLASHES.split(), ("// ", "")),
    **_OTHERS,
}
_WITHOUT_COMMENTS = frozenset({"json", "plaintext", "csv", ""})


def comment(source: Source, holders: Sequence[str], *, language: str) -> list[str]:
    """The lines of a comment in this language, without indentation; none where it has no comments."""
    if language in _WITHOUT_COMMENTS:
        return []
    before, after = _MARKS.get(language, ("# ", ""))
    said = [
        *(f"SPDX-FileCopyrightText: {holder}" for holder in holders),
        f"SPDX-License-Identifier: {source.license}",
        f"Source: {_named(source)} {lines(source)}",
        *([source.url] if source.url else []),
    ]
    # What ends a comment must not stand in it.
    return [f"{before}{line.replace(after.strip(), '') if after else line}{after}" for line in said]


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
    return f"## {source.release}" in notices.splitlines()


def section(source: Source, holders: Sequence[str], *, used_in: str) -> str:
    """What is to stand under the title of the notices: whose, from where, and the text of the licence."""
    facts = [
        f"- Licence: {source.license or 'unknown'}",
        *([f"- Home: <{source.url}>"] if source.url.startswith("http") else []),
        f"- Used in: `{used_in}` (from `{source.path}` {lines(source)})",
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
