"""What a file imports: modules, as paths, and the names it takes of each. Python, JavaScript, TypeScript."""

import posixpath
import re
from collections.abc import Iterator

_HEAD = 20_000  # characters in which imports are looked for
_PYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]*)|import[ \t]+([\w., \t]+))",
    re.MULTILINE,
)
_SCRIPT = re.compile(
    r"\b(?:import|export)\b([^'\";]*?)\bfrom\s*['\"](\.[^'\"\n]*)['\"]"
    r"|(?:([\w${}, \t]{1,200})=[ \t]*)?\brequire\(\s*['\"](\.[^'\"\n]*)['\"]"
)
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_NO_NAMES = frozenset(
    {"as", "import", "from", "export", "type", "const", "let", "var", "default"}
)  # fmt: skip
SCRIPTS = ("javascript", "javascriptreact", "typescript", "typescriptreact")
_SCRIPT_ENDINGS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")


def kin(language: str) -> str:
    """The same for languages whose files can import each other."""
    return "javascript" if language in SCRIPTS else language


def imports(text: str, path: str, language: str) -> list[tuple[str, tuple[str, ...]]]:
    """The modules that a file imports, as paths without endings, and the names it takes of each."""
    head = text[:_HEAD]
    folder = posixpath.dirname(path)
    found: dict[str, list[str]] = {}
    if language == "python":
        for match in _PYTHON.finditer(head):
            source, names, plain = match.groups()
            if plain is not None:
                for each in plain.split(","):
                    found.setdefault(each.split(" as ")[0].strip().replace(".", "/"), [])
                continue
            module = _python_module(source, folder)
            for each in names.strip("() \t").replace("\n", " ").split(","):
                name = each.split(" as ")[0].strip()
                if name.isidentifier():
                    found.setdefault(posixpath.join(module, name), []).append(name)
    elif language in SCRIPTS:
        for match in _SCRIPT.finditer(head):
            clause = match.group(1) or match.group(3) or ""
            target = match.group(2) or match.group(4)
            module = posixpath.normpath(posixpath.join(folder, target))
            names = [each for each in _NAME.findall(clause) if each not in _NO_NAMES]
            found.setdefault(module, []).extend(names)
    return [(module, tuple(names)) for module, names in found.items()]


def _python_module(source: str, folder: str) -> str:
    dots = len(source) - len(source.lstrip("."))
    path = source.lstrip(".").replace(".", "/")
    for _ in range(dots - 1):
        folder = posixpath.dirname(folder)
    return posixpath.join(folder, path) if dots else path


def candidates(module: str, path: str, language: str) -> Iterator[str]:
    """Where the file of a module that `path` imports may be, the likeliest first."""
    if language != "python":
        stem = re.sub(r"\.[mc]?jsx?$", "", module)
        yield from (stem + ending for ending in _SCRIPT_ENDINGS)
        yield from (f"{module}/index{ending}" for ending in _SCRIPT_ENDINGS)
        return
    for stem in (module, posixpath.dirname(module)):
        for root in _roots(posixpath.dirname(path)) if stem else ():
            yield posixpath.join(root, f"{stem}.py")
            yield posixpath.join(root, stem, "__init__.py")


def _roots(folder: str) -> Iterator[str]:
    """Folders that may be on Python's path, from the project's down to a file's own."""
    yield from ("", "src")
    parts = folder.split("/")
    yield from ("/".join(parts[:n]) for n in range(1, len(parts) + 1) if parts[0])
