"""Gives copies other names: some of the local ones, all that are not built in, or two for each."""

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Callable, Iterator
from random import Random

from trainer.evaluation.syntax import parsed

LIGHT = 0.09  # share of the tokens that light renaming changes

_WORDS = (
    "alpha anchor answer batch bound bucket carry channel chosen config counter current cursor delta element "
    "entity extra factor figure final flag focus gather given group handle holder inner insert kernel label "
    "ledger level limit linked local marker measure member memo mode moment mover node notion number offset "
    "order outer packed part path payload pivot place point pool previous probe quota ratio reach record "
    "region remote result ring rounds sample scale second segment shadow shape signal single slot source span "
    "stage state step stock store stream sum_ table tally target temp term thing total trace unit upper used "
    "valid verdict view wanted weight whole width window worker zone"
).split()
_SCRIPT_KEPT = frozenset(
    "abstract any arguments as async await boolean break case catch class const continue debugger declare "
    "default delete do else enum export extends false finally for from function get if implements import in "
    "instanceof interface is keyof let namespace never new null number of override private protected public "
    "readonly return satisfies set static string super switch symbol this throw true try type typeof undefined "
    "unknown var void while with yield Array ArrayBuffer BigInt Boolean Buffer Date Error Function Infinity JSON "
    "Map Math NaN Number Object Promise Proxy RangeError Record Reflect RegExp Set String Symbol SyntaxError "
    "TypeError URL Uint8Array WeakMap WeakSet clearInterval clearTimeout console decodeURIComponent document "
    "encodeURIComponent exports globalThis isFinite isNaN module parseFloat parseInt process require setInterval "
    "setTimeout window".split()
)
_PYTHON_KEPT = frozenset((*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "self", "cls"))

Span = tuple[int, int, str]  # where a name stands in the text, and the name
Choice = Callable[[str], str]  # from a name to the one that takes its place


def renamed(text: str, how: str, language: str, rng: Random) -> str | None:
    """The text with other names, `how` being lightly, fully, throughout or inconsistently; None if it has too few."""
    places = list(_python_names(text) if language == "python" else _script_names(text))
    if how == "throughout":
        places += _own_attributes(text)
    bound = _python_bound(text) if language == "python" else _script_bound(text)
    local = [name for name in dict.fromkeys(name for _, _, name in places) if name in bound]
    whole = how in ("fully", "throughout")
    names = list(dict.fromkeys(name for _, _, name in places)) if whole else local
    rng.shuffle(names)
    if how == "lightly":
        names = _until_enough(names, places, LIGHT * len(re.findall(r"\w+|[^\w\s]", text)))
    if len(names) < (1 if how == "lightly" else 2):
        return None
    fresh = _fresh(text, 2 * len(names), rng)
    new = dict(zip(names, fresh, strict=False))
    second = dict(zip(names, fresh[len(names) :], strict=False))
    if how != "inconsistently":
        second = new
    text = _replaced(text, places, new, second, rng)
    return _other_literals(text, language, rng) if whole else text


def _until_enough(names: list[str], places: list[Span], wanted: float) -> list[str]:
    """Names until their places are about as many as wanted."""
    counts = {name: sum(each == name for _, _, each in places) for name in names}
    chosen: list[str] = []
    seen = 0
    for name in names:
        if seen >= wanted:
            break
        chosen.append(name)
        seen += counts[name]
    return chosen


def _fresh(text: str, count: int, rng: Random) -> list[str]:
    taken = set(re.findall(r"\w+", text))
    single = [word for word in _WORDS if word not in taken]
    rng.shuffle(single)
    pairs = (f"{rng.choice(_WORDS)}_{rng.choice(_WORDS)}" for _ in range(4 * count))
    return list(dict.fromkeys([*single, *pairs]))[:count]


def _replaced(
    text: str, places: list[Span], new: dict[str, str], second: dict[str, str], rng: Random
) -> str:
    parts, done = [], 0
    for start, end, name in sorted(places):
        if start >= done and name in new:
            parts += [text[done:start], (new if rng.random() < 0.6 else second)[name]]
            done = end
    return "".join(parts) + text[done:]


def python_tokens(text: str) -> list[tokenize.TokenInfo]:
    """The tokens of a passage as far as it can be cut into some."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            found.append(token)  # noqa: PERF402  # what comes before an error is kept
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def line_starts(text: str) -> list[int]:
    starts = [0]
    for row in io.StringIO(text):
        starts.append(starts[-1] + len(row))
    return starts


def _field_names(text: str, place: int, kept: frozenset[str]) -> Iterator[Span]:
    """Names in the fields of a formatted string."""
    for field in _FIELD.finditer(text):
        for name in _NAME.finditer(text, field.start(), field.end()):
            if name[0] not in kept:
                yield place + name.start(), place + name.end(), name[0]


def _own_attributes(text: str) -> Iterator[Span]:
    """The names of what an object has and does, where it speaks of itself."""
    for found in _OWN.finditer(text):
        yield found.start(1), found.end(1), found[1]


_OWN = re.compile(r"(?<![\w.$])(?:self|cls|this)\.(?!__)([A-Za-z_$][\w$]*)")
_FIELD = re.compile(r"\{[^{}]*\}")
_NAME = re.compile(r"(?<![\w.$])[A-Za-z_$][\w$]*")


def _python_names(text: str) -> Iterator[Span]:
    """Names that are no attributes, arguments or parts of an import, also inside formatted strings."""
    starts = line_starts(text)
    keywords = _argument_names(text)
    previous, importing = "", False
    for token in python_tokens(text):
        if token.type in (tokenize.NEWLINE, tokenize.NL):
            importing = False
        place = starts[token.start[0] - 1] + token.start[1]
        if token.type == tokenize.NAME:
            importing = importing or (token.string in ("import", "from") and previous in ("", ";"))
            kept = token.string in _PYTHON_KEPT or previous == "." or token.start in keywords
            if not kept and not (importing and previous != "as"):
                yield place, place + len(token.string), token.string
        elif token.type == tokenize.STRING and "f" in token.string[:2].lower():
            yield from _field_names(token.string, place, _PYTHON_KEPT)
        if token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT):
            previous = token.string.strip()


def _argument_names(text: str) -> set[tuple[int, int]]:
    """Where the names of arguments stand in calls; they are the callee's, not the passage's."""
    tree = parsed(text)
    nodes = ast.walk(tree) if tree else ()
    return {(each.lineno, each.col_offset) for each in nodes if isinstance(each, ast.keyword)}


def _python_bound(text: str) -> set[str]:
    tree = parsed(text)
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ExceptHandler):
            found.add(node.name or "")
    return found - {"self", "cls", "_", ""}


_SCRIPT_WORD = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?P<template>`(?:\\.|[^`\\])*`)|"""
    r"""(?<=[=(,:!&|?;{}\s])/(?![/*\s])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[dgimsuvy]*|"""
    r"""(?P<name>(?<![\w$.])[A-Za-z_$][\w$]*)(?P<key>\s*\??:(?!:))?""",
    re.DOTALL,
)


def _script_names(text: str) -> Iterator[Span]:
    """Names that are no properties, keys of objects, keywords or globals."""
    for found in _SCRIPT_WORD.finditer(text):
        name = found["name"]
        if found["template"]:
            yield from _field_names(found["template"], found.start(), _SCRIPT_KEPT)
        if not name or name in _SCRIPT_KEPT:
            continue
        before = text[: found.start()].rstrip()
        # A colon after a name makes it a key, but for parameters with their types.
        if found["key"] and before[-1:] in ("{", ",", ";", "") and "?" not in found["key"]:
            continue
        if before.endswith(("import", "from")):
            continue
        yield found.start("name"), found.end("name"), name


def _script_bound(text: str) -> set[str]:
    names = set(re.findall(r"\b(?:const|let|var|function|catch\s*\()\s*([A-Za-z_$][\w$]*)", text))
    for inside in re.findall(r"\b(?:const|let|var)\s*[\[{]([^=]*?)[\]}]\s*=", text):
        names.update(re.findall(r"(?<![\w$.])([A-Za-z_$][\w$]*)\s*(?:,|$|=)", inside))
    for inside in re.findall(r"\(([^()]*)\)\s*(?::[^={]+)?(?:=>|\{)", text):
        names.update(re.findall(r"(?:^|,)\s*(?:\.\.\.)?([A-Za-z_$][\w$]*)", inside))
    names.update(re.findall(r"(?<![\w$.])([A-Za-z_$][\w$]*)\s*=>", text))
    return names - _SCRIPT_KEPT


_STRING = re.compile(
    r"""`[^`]*`|(?P<triple>\"\"\".*?\"\"\"|'''.*?''')|(?P<quote>["'])(?P<body>(?:\\.|(?!(?P=quote))[^\\\n])*)(?P=quote)""",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.$])\d+(?![\w.])")


def _other_literals(text: str, language: str, rng: Random) -> str:
    """Numbers and strings changed; what is put into formatted strings stays."""

    def other(found: re.Match[str]) -> str:
        if found[0][0] == "`":
            return found[0]
        if found["triple"]:
            quotes = found["triple"][:3]
            return f"{quotes}{' '.join(rng.sample(_WORDS, 5)).capitalize()}.{quotes}"
        body = found["body"]
        if "\\" in body or "%" in body or len(body) < 2:
            return found[0]
        words = re.sub(
            r"\{[^{}]*\}|[A-Za-z]{2,}",
            lambda word: word[0] if word[0][0] == "{" else rng.choice(_WORDS),
            body,
        )
        return f"{found['quote']}{words}{found['quote']}"

    text = _STRING.sub(other, text) if language == "python" else _script_strings(text, other)
    return _NUMBER.sub(lambda each: str(int(each[0][:9]) + rng.randint(1, 9)), text)


def _script_strings(text: str, other: Callable[[re.Match[str]], str]) -> str:
    rows = text.split("\n")
    # An apostrophe in a comment begins no string.
    kept = ("//", "*", "/*")
    return "\n".join(
        row if row.lstrip().startswith(kept) else _STRING.sub(other, row) for row in rows
    )
