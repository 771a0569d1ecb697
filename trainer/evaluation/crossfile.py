"""Lines that use a name of another file of their package: what only a look into that file explains.

As in RepoEval (Zhang et al. 2023, arXiv 2303.12570) a whole line is asked for; here with the text
behind it, and each case carries the file that defines the name, which may be shown or not.
"""

import ast
import hashlib
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from indexer.document import Document
from trainer.evaluation.cases import MAX_FILE, Case, OtherFile
from trainer.evaluation.syntax import parsed

KIND = "cross-file"
PROTOCOL = (
    "cross-file: the first line of a file that uses a name which it imports from another file of "
    "its package, where the name is defined; the whole line from its indent to its end; of several "
    "such lines in a file one is drawn by its content hash, and no line twice"
)
_LONGEST_LINE = 400  # characters, as for other lines


@dataclass(frozen=True, slots=True)
class Use:
    """A line that uses an imported name, and where the name is defined."""

    line: int  # 0-based
    path: str
    offset: int  # characters before the definition in that file


def draw(documents: Iterable[Document], *, language: str, count: int) -> list[Case]:
    """Up to `count` cases, one per file; the same documents give the same cases."""
    packages: dict[str, dict[str, Document]] = defaultdict(dict)
    for each in documents:
        if each.language == language and len(each.text) <= MAX_FILE:
            packages[each.package][each.path] = each
    uses_of = _python_uses if language == "python" else _script_uses
    cases: list[Case] = []
    taken: set[str] = set()  # locales and the like repeat one line in every file
    chosen = [each for files in packages.values() for each in files.values()]
    for document in sorted(chosen, key=lambda each: each.sha256):
        if len(cases) == count:
            break
        uses = sorted(
            _first_uses(uses_of(document, packages[document.package])),
            key=lambda each: (each.line, each.path),
        )
        if not uses:
            continue
        seed = hashlib.sha256(f"{KIND}/{document.sha256}".encode()).digest()
        use = Random(seed).choice(uses)
        case = _case(document, use, packages[document.package][use.path])
        if case.middle not in taken:
            taken.add(case.middle)
            cases.append(case)
    return cases


def _case(document: Document, use: Use, other: Document) -> Case:
    lines = document.text.split("\n")
    line = lines[use.line]
    start = sum(len(each) + 1 for each in lines[: use.line]) + len(line) - len(line.lstrip())
    end = start + len(line.strip())
    return Case(
        name=f"{document.package}/{document.path}:{use.line + 1}",
        kind=KIND,
        language=document.language,
        path=document.path,
        prefix=document.text[:start],
        middle=document.text[start:end],
        suffix=document.text[end:],
        repository=document.package,
        files=(OtherFile(other.path, other.text, use.offset),),
    )


def _first_uses(found: Iterable[tuple[str, str, Use]]) -> Iterator[Use]:
    """The first use of each name; found yields a name, its line, and the use."""
    first: dict[str, tuple[str, Use]] = {}
    for name, line, use in found:
        if name not in first or use.line < first[name][1].line:
            first[name] = (line, use)
    for line, use in first.values():
        if 2 < len(line.strip()) <= _LONGEST_LINE:
            yield use


# Python, by its syntax tree.


def _python_uses(
    document: Document, files: Mapping[str, Document]
) -> Iterator[tuple[str, str, Use]]:
    tree = parsed(document.text)
    if tree is None:
        return
    names, modules = _python_imports(tree, document.path, files)
    lines = document.text.split("\n")
    for node in ast.walk(tree):
        target: tuple[str, str] | None = None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            target = names.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            path = modules.get(node.value.id)
            target = (path, node.attr) if path else None
        if target is None or not isinstance(node, (ast.Name, ast.Attribute)):
            continue
        path, name = target
        offset = _python_definitions(files[path].text).get(name)
        # A form feed is a line break to str.splitlines, but to neither ast nor this.
        if offset is not None and node.lineno <= len(lines):
            yield f"{path}:{name}", lines[node.lineno - 1], Use(node.lineno - 1, path, offset)


def _python_imports(
    tree: ast.Module, path: str, files: Mapping[str, Document]
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Local name -> (file, name there), and local name of a module -> file."""
    names: dict[str, tuple[str, str]] = {}
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            local = alias.asname or alias.name
            dotted = f"{node.module}.{alias.name}" if node.module else alias.name
            module = _python_file(dotted, node.level, path, files)
            source = _python_file(node.module or "", node.level, path, files)
            if module and module != path:
                modules[local] = module
            elif source and source != path:
                names[local] = (source, alias.name)
    return names, modules


def _python_file(dotted: str, level: int, path: str, files: Mapping[str, Document]) -> str | None:
    """The file of a module, relative to a file or found under one of its folders."""
    folder = posixpath.dirname(path)
    if level:
        for _ in range(level - 1):
            folder = posixpath.dirname(folder)
        roots = [folder]
    else:
        roots = _parents(folder)
    tail = dotted.replace(".", "/")
    for root in roots:
        base = posixpath.normpath(posixpath.join(root, tail))
        for candidate in (f"{base}.py", f"{base}/__init__.py"):
            if candidate in files:
                return candidate
    return None


def _parents(folder: str) -> list[str]:
    out = [folder]
    while folder:
        folder = posixpath.dirname(folder)
        out.append(folder)
    return out


_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=(?!=)", re.M)


def _python_definitions(text: str) -> dict[str, int]:
    """Names that a file defines at its outermost level, with their first places."""
    found: dict[str, int] = {}
    for match in _DEFINITION.finditer(text):
        found.setdefault(match.group(1) or match.group(2), match.start())
    return found


# JavaScript and TypeScript, by their lines: there is no parser for them here.

_IMPORTS = (
    re.compile(r"""\bimport\s+(?:type\s+)?(?:\w+\s*,\s*)?\{([^}]*)\}\s*from\s*['"](\.[^'"]+)"""),
    re.compile(r"""\b(?:const|let|var)\s*\{([^}]*)\}\s*=\s*require\(\s*['"](\.[^'"]+)"""),
)
_NO_USE = re.compile(r"^\s*(?:import\b|export\s*[{*]|//|/?\*|\}\s*from\b|.*\brequire\()")
_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", "/index.ts", "/index.js", "/index.mjs")


def _script_uses(
    document: Document, files: Mapping[str, Document]
) -> Iterator[tuple[str, str, Use]]:
    text = document.text
    lines = text.split("\n")
    inside = _inside_imports(text)
    for pattern in _IMPORTS:
        for match in pattern.finditer(text):
            path = _script_file(match.group(2), document.path, files)
            if path is None or path == document.path:
                continue
            for original, local in _script_names(match.group(1)):
                offset = _script_definition(files[path].text, original)
                use = re.compile(rf"(?<![\w$.'\"]){re.escape(local)}(?![\w$'\"]|\s*:)")
                if offset is None:
                    continue
                for number, line in enumerate(lines):
                    if number not in inside and not _NO_USE.match(line) and use.search(line):
                        yield f"{path}:{original}", line, Use(number, path, offset)
                        break


def _inside_imports(text: str) -> set[int]:
    """Numbers of the lines that import statements span."""
    out: set[int] = set()
    for pattern in _IMPORTS:
        for match in pattern.finditer(text):
            first = text.count("\n", 0, match.start())
            out.update(range(first, first + match.group().count("\n") + 1))
    return out


def _script_names(listed: str) -> Iterator[tuple[str, str]]:
    """`a, b as c, d: e` gives the names there and here."""
    for part in listed.split(","):
        words = re.split(r"\s+as\s+|\s*:\s*", re.sub(r"^\s*type\s+", "", part).strip())
        if re.fullmatch(r"[\w$]+", words[0]) and re.fullmatch(r"[\w$]+", words[-1]):
            yield words[0], words[-1]


def _script_file(relative: str, path: str, files: Mapping[str, Document]) -> str | None:
    base = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
    stem = re.sub(r"\.[mc]?jsx?$", "", base)
    candidates = [base, *(stem + each for each in _ENDINGS)]
    return next((each for each in candidates if each in files), None)


def _script_definition(text: str, name: str) -> int | None:
    word = re.escape(name)
    found = re.search(
        rf"^(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?"
        rf"(?:function\*?|class|const|let|var|interface|type|enum)\s+{word}(?![\w$])"
        rf"|^(?:module\.)?exports\.{word}\s*=",
        text,
        re.M,
    )
    return found.start() if found else None
