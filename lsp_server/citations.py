"""How a match is worded: one line for a list, a paragraph for a hover, JSON for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from indexer import Match, Source

_KINDS = {
    "verbatim": "verbatim",
    "renamed": "with other names",
    "modified": "with changes",
}
_SHOWN = 3


def kind_of(match: Match) -> str:
    return _KINDS.get(match.kind, match.kind)


def headline(match: Match) -> str:
    """One line: what it is, how near, whose, where, under which licence."""
    source = match.source
    rest = others_of(match)
    more = f" (and {rest} more)" if rest else ""
    return (
        f"Near-verbatim, {kind_of(match)} ({match.percent}): {source.release}, "
        f"{source.path} {lines(source)}, {source.license}{more}"
    )


def where_of(match: Match, learned: Collection[str]) -> str:
    """Whether the model can have the text by heart, or it is only indexed."""
    return "in this model's training data" if match.index in learned else "in the indexed code"


def badge(matches: Sequence[Match]) -> str:
    """A few words for a suggestion, about the nearest of its matches."""
    best = max(matches, key=lambda match: (match.similarity, match.matched_tokens))
    return f"{best.percent} like {best.source.release} ({best.source.license})"


def longest_first(matches: Iterable[Match]) -> list[Match]:
    return sorted(matches, key=lambda match: -match.matched_tokens)


def hover_text(
    matches: Sequence[Match],
    *,
    markdown: bool,
    excerpt: str = "",
    learned: Collection[str] = (),
) -> str:
    """Everything about the matches at one place; `excerpt` is how the first one's source reads.

    `learned` names the indexes of what the model was trained on.
    """
    excerpts = [excerpt, *[""] * len(matches)]
    return ("\n\n---\n\n" if markdown else "\n\n").join(
        _paragraph(match, markdown=markdown, excerpt=excerpts[rank], learned=learned)
        for rank, match in enumerate(matches[:_SHOWN])
    )


def _paragraph(match: Match, *, markdown: bool, excerpt: str, learned: Collection[str]) -> str:
    strong = "**" if markdown else ""
    title = f"{strong}Near-verbatim {where_of(match, learned)}{strong}"
    facts = (
        f"{match.percent} similar, {kind_of(match)}, {match.matched_tokens} tokens, "
        f"lines {match.start_line} to {match.end_line} here"
    )
    places = [match.source, *match.others][:_SHOWN]
    listed = [f"- {_place(source, markdown=markdown)}" for source in places]
    rest = others_of(match) + 1 - len(places)
    if rest > 0:
        listed.append(f"- and {rest} more {'place' if rest == 1 else 'places'}")
    note = "A match says where this text also occurs; it is no verdict about rights."
    if markdown:
        note = f"*{note}*"
    parts = [f"{title}: {facts}", "\n".join(listed), excerpt, note]
    return "\n\n".join(part for part in parts if part)


def _place(source: Source, *, markdown: bool) -> str:
    name = source.release
    web = source.url.startswith(("https://", "http://"))
    if markdown:
        named = f"[{name}]({source.url})" if web else name
        return f"{named} `{source.path}` {lines(source)}, {source.license}"
    address = f", {source.url}" if web else ""
    return f"{name} {source.path} {lines(source)}, {source.license}{address}"


def lines(source: Source) -> str:
    if source.start_line == source.end_line:
        return f"line {source.start_line}"
    return f"lines {source.start_line} to {source.end_line}"


def others_of(match: Match) -> int:
    """How many further places hold the same text."""
    return len(match.others) + match.more
