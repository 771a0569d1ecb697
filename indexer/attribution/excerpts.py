"""A part of a text that lexes as it would inside the whole: strings and comments left open are opened again."""

from indexer.attribution.families import Family

# What can run over several lines, and how it ends.
_ENDS = {'"""': '"""', "'''": "'''", "/*": "*/", "`": "`"}


def unify_line_ends(text: str) -> str:
    """Every line end as one line feed; the number of lines stays what an editor counts."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def opening(before: str, family: Family) -> str:
    """What to put in front of a text that follows `before`: "" or the mark of what is still open there."""
    if not any(mark in before for mark in _ENDS):
        return ""
    last = None
    for last in family.spans.finditer(before):  # noqa: B007 -- the last one is what counts
        pass
    if last is None or last.end() != len(before):
        return ""
    span = last.group()
    for mark, end in _ENDS.items():
        if span.startswith(mark):
            closed = len(span) >= len(mark) + len(end) and span.endswith(end)
            return "" if closed else mark
    return ""


def excerpt(text: str, first: int, last: int, family: Family) -> str:
    """Lines `first` to `last` (0-based, last excluded) of a text with unified line ends."""
    lines = text.split("\n")
    part = "\n".join(lines[first:last])
    return opening("\n".join(lines[:first]), family) + part if first else part


def tail(text: str, lines: int, family: Family) -> tuple[str, int]:
    """The last lines of a text as an excerpt, and how many lines were left away."""
    cut = len(text)
    for _ in range(lines):
        cut = text.rfind("\n", 0, cut)
        if cut < 0:
            return text, 0
    before = text[: cut + 1]
    return opening(before, family) + text[cut + 1 :], before.count("\n")
