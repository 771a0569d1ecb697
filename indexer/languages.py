"""Which files we take, and the language id editors give them."""

from pathlib import PurePosixPath

LANGUAGES: dict[str, tuple[str, ...]] = {
    "python": (".py", ".pyi", ".pyw"),
    "javascript": (".js", ".mjs", ".cjs"),
    "javascriptreact": (".jsx",),
    "typescript": (".ts", ".mts", ".cts"),
    "typescriptreact": (".tsx",),
    "json": (".json",),
    "markdown": (".md",),
    "restructuredtext": (".rst",),
    "shellscript": (".sh", ".bash"),
    "toml": (".toml",),
    "yaml": (".yaml", ".yml"),
}
"""Language id to file name endings."""

NEAR_CODE = frozenset({"json", "markdown", "restructuredtext", "shellscript", "toml", "yaml"})
"""Texts that stand beside code; the corpus holds little of them."""

_BY_ENDING = {ending: name for name, endings in LANGUAGES.items() for ending in endings}
_BY_NAME = {"pipfile": "toml", ".babelrc": "json", ".eslintrc": "json", ".bashrc": "shellscript"}


def language_of(path: str) -> str | None:
    """Language id of a path with forward slashes, or None when we do not take such files."""
    name = PurePosixPath(path).name.lower()
    return _BY_NAME.get(name) or _BY_ENDING.get(PurePosixPath(name).suffix)
