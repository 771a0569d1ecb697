"""The language ids of editors by the names of files, and which languages the corpus takes."""

_ENDINGS = {
    "python": ".py .pyi .pyw",
    "javascript": ".js .mjs .cjs",
    "javascriptreact": ".jsx",
    "typescript": ".ts .mts .cts",
    "typescriptreact": ".tsx",
    "json": ".json",
    "markdown": ".md",
    "restructuredtext": ".rst",
    "shellscript": ".sh .bash",
    "toml": ".toml",
    "yaml": ".yaml .yml",
}
TAKEN = frozenset(_ENDINGS)
"""What the public corpus takes, and its model learns; the others are read where they are met."""

_ENDINGS |= {
    "c": ".c .h",
    "cmake": ".cmake",
    "cpp": ".cc .cpp .cxx .hh .hpp .hxx .inl .ipp",
    "csharp": ".cs",
    "css": ".css",
    "cuda-cpp": ".cu .cuh",
    "cython": ".pxd .pyx",
    "dart": ".dart",
    "elixir": ".ex .exs",
    "glsl": ".frag .glsl .vert",
    "go": ".go",
    "groovy": ".gradle .groovy",
    "html": ".htm .html .xhtml",
    "ini": ".cfg .ini",
    "java": ".java",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "less": ".less",
    "lua": ".lua",
    "makefile": ".mk",
    "nim": ".nim",
    "nix": ".nix",
    "objective-c": ".m",
    "objective-cpp": ".mm",
    "perl": ".pl .pm",
    "php": ".php .phtml",
    "powershell": ".ps1 .psm1",
    "properties": ".properties",
    "proto": ".proto",
    "r": ".r",
    "ruby": ".gemspec .rake .rb",
    "rust": ".rs",
    "sass": ".sass",
    "scala": ".sc .scala",
    "scss": ".scss",
    "solidity": ".sol",
    "sql": ".sql",
    "starlark": ".bzl .star",
    "svelte": ".svelte",
    "swift": ".swift",
    "vue": ".vue",
    "xml": ".xml .xsd .xsl",
    "zig": ".zig",
}
LANGUAGES = {name: tuple(endings.split()) for name, endings in _ENDINGS.items()}
"""Language id to file name endings."""

NOTEBOOK, NOTEBOOK_ENDING = "jupyter", ".ipynb"
"""Cells in JSON: the code in them is checked, but a file of such is no document of a corpus."""

NEAR_CODE = frozenset({"json", "markdown", "restructuredtext", "shellscript", "toml", "yaml"})
"""Texts that stand beside code; the corpus holds little of them."""

_BY_ENDING = {ending: name for name, endings in LANGUAGES.items() for ending in endings}
_BY_NAME = {
    "pipfile": "toml", ".babelrc": "json", ".eslintrc": "json", ".bashrc": "shellscript",
    "cmakelists.txt": "cmake", "dockerfile": "dockerfile", "gemfile": "ruby", "gnumakefile": "makefile",
    "jenkinsfile": "groovy", "makefile": "makefile", "rakefile": "ruby",
}  # fmt: skip


def language_of(path: str) -> str | None:
    """Language id of a path with forward slashes, or None when we do not know such files."""
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    return _BY_NAME.get(name) or (_BY_ENDING.get(dot + ending) if stem else None)
