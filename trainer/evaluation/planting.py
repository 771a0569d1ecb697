"""Makes copies of functions as people make them: as they are, reformatted, renamed or edited, put in a host.

The changes go through `ast` and through line edits of its own, never through the lexer that is being
evaluated: an invariance that the lexer only believes to have shows as a miss.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

KINDS = ("verbatim", "reformatted", "renamed", "edited")
MIN_LINES = 12

_WORDS = (
    "alpha anchor answer batch bound bucket carry channel chosen config counter current cursor delta element "
    "entity extra factor figure final flag focus gather given group handle holder inner insert kernel label "
    "ledger level limit linked local marker measure member memo mode moment mover node notion number offset "
    "order outer packed part path payload pivot place point pool previous probe quota ratio reach record "
    "region remote result ring rounds sample scale second segment shadow shape signal single slot source span "
    "stage state step stock store stream sum_ table tally target temp term thing total trace unit upper used "
    "valid verdict view wanted weight whole width window worker zone"
).split()
_REMARKS = (
    "keep in step with the caller",
    "see the notes above",
    "checked by hand",
    "order matters here",
    "rarely taken",
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A function as it stands in its file, without its indentation."""

    text: str
    first_line: int  # 1-based, in its file
    last_line: int


def functions(text: str, language: str) -> list[Passage]:
    """The functions of at least MIN_LINES lines of a Python, JavaScript or TypeScript file."""
    found = _python_functions(text) if language == "python" else _script_functions(text)
    return [each for each in found if each.last_line - each.first_line + 1 >= MIN_LINES]


def _python_functions(text: str) -> Iterator[Passage]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    lines = text.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            part = textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
            yield Passage(part, first, node.end_lineno)


_SCRIPT_START = re.compile(
    r"^([ \t]*)(?:export\s+)?(?:default\s+)?(?:static\s+)?(?:async\s+)?"
    r"(?:function\b.*|(?!if|for|while|switch|catch|with|return)[\w$]+\s*\(.*\)(?:\s*:\s*[^={]+)?\s*)\{\s*$"
)


def _script_functions(text: str) -> Iterator[Passage]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        start = _SCRIPT_START.match(line)
        if not start:
            continue
        closing = start[1] + "}"
        for last in range(number + 1, min(len(lines), number + 200)):
            if lines[last].startswith(closing):
                part = textwrap.dedent("\n".join(lines[number : last + 1]))
                yield Passage(part, number + 1, last + 1)
                break
            if lines[last].strip() and not lines[last].startswith(
                (start[1] + " ", start[1] + "\t")
            ):
                break


def copy_of(text: str, kind: str, language: str, rng: Random) -> str | None:
    """A copy of a function in one of KINDS, or None when it cannot be made."""
    if kind == "verbatim":
        return text
    if kind == "edited":
        return _edited(text, language, rng)
    if language != "python":
        return _script_layout(_script_renamed(text, rng) if kind == "renamed" else text, rng)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    if kind == "renamed":
        tree = _rename(tree, rng)
    return _python_layout(ast.unparse(tree), rng)


def _rename(tree: ast.Module, rng: Random) -> ast.Module:
    """Gives the function and all its local names new ones, each the same throughout."""
    nodes = list(ast.walk(tree))
    fixed = {"self", "cls", "_"}
    fixed.update(
        name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
    )
    used = {node.id for node in nodes if isinstance(node, ast.Name)} | fixed
    fresh = [word for word in _WORDS if word not in used]
    rng.shuffle(fresh)
    local = [
        name for name in dict.fromkeys(filter(None, map(_bound_name, nodes))) if name not in fixed
    ]
    fresh += [f"name_{number}" for number in range(len(local))]
    new = dict(zip(local, fresh, strict=False))
    for node in nodes:
        if isinstance(node, ast.arg):
            node.arg = new.get(node.arg, node.arg)
        elif isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
        elif (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ExceptHandler)
            and node.name
        ):
            node.name = new.get(node.name, node.name)
    return tree


def _bound_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ExceptHandler):
        return node.name
    return None


def _python_layout(text: str, rng: Random) -> str:
    """Another indentation, blank lines and remarks; lines inside strings stay as they are."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno:
            inside.update(range(node.lineno + 1, node.end_lineno + 1))
    unit = rng.choice(("  ", "   ", "    ", "\t"))
    result = []
    for number, line in enumerate(text.splitlines(), 1):
        if number in inside:
            result.append(line)
            continue
        body = line.lstrip(" ")
        depth = (len(line) - len(body)) // 4
        if rng.random() < 0.08:
            result.append("")
        if rng.random() < 0.08:
            result.append(unit * depth + "# " + rng.choice(_REMARKS))
        result.append(unit * depth + body)
    return "\n".join(result)


def _script_renamed(text: str, rng: Random) -> str:
    names = set(re.findall(r"\b(?:const|let|var)\s+([A-Za-z_$][\w$]*)", text))
    head = re.search(r"\(([^()]*)\)", text)
    if head:
        names.update(re.findall(r"(?:^|,)\s*([A-Za-z_$][\w$]*)", head[1]))
    fresh = [word for word in _WORDS if not re.search(rf"\b{word}\b", text)]
    rng.shuffle(fresh)
    for name, new in zip(sorted(names), fresh, strict=False):
        text = re.sub(rf"(?<![\w$.'\"]){re.escape(name)}(?![\w$'\"])(?!\s*:)", new, text)
    return text


def _script_layout(text: str, rng: Random) -> str:
    """No comments, another indentation, the other quotes, with or without semicolons."""
    text = re.sub(r"^\s*/\*.*?\*/[ \t]*\n", "", text, flags=re.DOTALL | re.MULTILINE)
    unit = rng.choice(("  ", "    ", "\t"))
    swap = rng.random() < 0.5
    result = []
    for line in text.splitlines():
        body = line.strip()
        if body.startswith("//"):
            continue
        if swap and "'" in body and not re.search(r"[\"`/]", body):
            body = body.replace("'", '"')
        if swap and body.endswith(";"):
            body = body[:-1]
        wide = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
        result.append(unit * (wide // 2) + body)
        if rng.random() < 0.05:
            result.append("")
    return "\n".join(result)


def _edited(text: str, language: str, rng: Random) -> str | None:
    """The text with every tenth line changed; Python that parsed still does, as a person's edit would."""
    for _ in range(20):
        edited = _with_changed_lines(text, "#" if language == "python" else "//", rng)
        if language != "python" or _parses(edited):
            return edited
    return None


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _with_changed_lines(text: str, mark: str, rng: Random, share: float = 0.1) -> str:
    """Every tenth line (at least one, never the first) is dropped, replaced, or gets one before it."""
    lines = text.splitlines()
    full = [n for n, line in enumerate(lines) if line.strip() and n]
    for number in sorted(rng.sample(full, max(1, round(share * len(full)))), reverse=True):
        indent = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
        first, second, third = rng.sample(_WORDS, 3)
        other = f"{indent}{first} = {second}({third}, {rng.randrange(100)})  {mark} changed"
        lines[number : number + 1] = rng.choice(([], [other], [other, lines[number]]))
    return "\n".join(lines)


def plant(host: str, copy: str, language: str, rng: Random) -> tuple[str, int, int]:
    """The host with the copy in it, at a random place between statements; its first and last line, 1-based."""
    lines = host.splitlines()
    number, indent = rng.choice(_gaps(host, lines, language) or [(len(lines), "")])
    planted = ["", *textwrap.indent(copy, indent).splitlines(), ""]
    return (
        "\n".join([*lines[:number], *planted, *lines[number:], ""]),
        number + 2,
        number + len(planted) - 1,
    )


def _gaps(host: str, lines: list[str], language: str) -> list[tuple[int, str]]:
    """Line numbers before which something may be put, and the indentation it needs there."""
    if language != "python":
        return [
            (number, "")
            for number in range(1, len(lines))
            if lines[number] and not lines[number - 1].strip() and lines[number][0].isalpha()
        ]
    try:
        tree = ast.parse(host)
    except (SyntaxError, ValueError, RecursionError):
        return []
    gaps = [(node.end_lineno or 0, "") for node in tree.body]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            gaps += [(each.end_lineno or 0, " " * each.col_offset) for each in node.body]
    return gaps
