"""Draws a file's neighbourhood with ghost text in it: dim in a terminal, «guillemets» in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_ABOVE, _BELOW = 5, 2
_WIDTH = 100


def screen() -> Console:
    from rich.console import Console

    console = Console(highlight=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=_WIDTH, soft_wrap=True)
    return console


def title(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold", markup=False)


def note(console: Console, text: str, *, style: str = "") -> None:
    console.print(f"       {text}", style=style or None, markup=False)


def excerpt(
    console: Console, text: str, item: dict[str, Any] | None, line: int, column: int
) -> None:
    """The lines around the cursor (both from 0), with the item of a reply where it would stand."""
    from rich.text import Text

    lines = text.split("\n")
    before, ghost, rest = lines[line][:column], None, lines[line][column:]
    if item is not None:
        found = item["range"]
        typed = column - found["start"]["character"]  # the item repeats what is there
        ghost = item["insertText"][typed:]
        rest = lines[line][found["end"]["character"] :]
    for number in range(max(0, line - _ABOVE), line):
        _numbered(console, number, Text(lines[number]))
    pieces = (ghost or "").split("\n")
    for at, piece in enumerate(pieces):
        first, last = at == 0, at == len(pieces) - 1
        shown = Text(before if first else "")
        if ghost is not None:
            shown.append_text(_ghost(console, piece, first=first, last=last))
        shown.append(rest if last else "")
        _numbered(console, line if first else None, shown)
    for number in range(line + 1, min(len(lines), line + 1 + _BELOW)):
        _numbered(console, number, Text(lines[number]))


def _ghost(console: Console, text: str, *, first: bool, last: bool) -> Any:
    from rich.text import Text

    if console.is_terminal:
        return Text(text, style="italic dim cyan")
    return Text(("«" if first else "") + text + ("»" if last else ""))


def _numbered(console: Console, number: int | None, text: Any) -> None:
    from rich.text import Text

    margin = f"{'' if number is None else number + 1:>5} │ "
    console.print(Text.assemble((margin, "dim"), text))


def marked(console: Console, text: str, first: int, last: int, *, most: int = 12) -> None:
    """Lines from 0 of a passage that carries a diagnostic, underlined or with a mark."""
    from rich.text import Text

    lines = text.split("\n")[first : last + 1]
    for at, line in enumerate(lines[:most]):
        if console.is_terminal:
            indent = len(line) - len(line.lstrip())
            shown = Text(line[:indent])
            shown.append(line[indent:], style="underline yellow")
        else:
            shown = Text(line)
        _numbered(console, first + at, shown)
    if len(lines) > most:
        _numbered(console, None, Text(f"... {len(lines) - most} more lines", style="dim"))


def hover(console: Console, markdown: str) -> None:
    if console.is_terminal:
        from rich.markdown import Markdown
        from rich.panel import Panel

        console.print(Panel(Markdown(markdown), title="hover", title_align="left", width=_WIDTH))
        return
    for line in markdown.splitlines():
        console.print(f"       | {line}".rstrip(), markup=False)
