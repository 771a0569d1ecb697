"""Where a completion leaves the block that it began in, judged by indentation."""

from engine.surroundings import Surroundings, opens_block

_TAB = 4
_CLOSING = ")]}"
# Words that carry a statement on at its own indentation.
_CONTINUING = ("else", "elif", "except", "finally", "catch", "case", "end", "while", "and", "or")


def scope_end(text: str, around: Surroundings) -> int | None:
    """Index where the text leaves its block, at the end of the line before; None if it never does.

    A block that the gap's line opens is all that is deeper, and its closer. On a blank line the
    block is what the gap is indented to, or the first line where the gap is at the margin; and of
    what is not indented at all, the first statement that has lines below it, and those.
    """
    strict = bool(around.line_before.strip()) and opens_block(around)
    floor = _indent(around.line_before) if around.line_before else None
    deeper = False
    index = 0
    for number, line in enumerate(text.split("\n")):
        whole = around.line_before + line if number == 0 else line
        if line.strip():
            indent = _indent(whole)
            if floor is None:
                floor = indent
            elif number and _leaves(line, indent, floor, strict=strict, deeper=deeper):
                return max(0, index - 1)
            deeper = deeper or indent > floor
        index += len(line) + 1
    return None


def _leaves(line: str, indent: int, floor: int, *, strict: bool, deeper: bool) -> bool:
    bare = line.strip()
    closes = bare[0] in _CLOSING
    if indent < floor:
        return True
    if indent > floor or closes:
        return False
    if strict:
        return True
    return floor == 0 and deeper and not bare.startswith(_CONTINUING)


def _indent(line: str) -> int:
    """Width of the blanks that a line begins with."""
    blank = line[: len(line) - len(line.lstrip())]
    return len(blank.expandtabs(_TAB))
