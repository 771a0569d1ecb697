"""How the languages are cut into tokens: for each a table of its strings, comments and reserved words.

Both lexers, native/lexer.c and patterns.py, read these tables; neither knows a language.
"""

from dataclasses import dataclass

from indexer.attribution import reserved
from indexer.attribution.tokens import (
    CALLED,
    COMMENT,
    DOT,
    KEPT,
    MARK,
    OPEN,
    PREFIX,
    STRING,
    word_id,
)

# Shapes of spans, as native/lexer.c numbers them: what is special about them but for their marks.
PLAIN_SHAPE, SEPARATE, CHARACTER, PATTERN, HEREDOC, RAW = range(6)


@dataclass(frozen=True, slots=True)
class Span:
    """A string, a comment, or a mark of several bytes (which closes nothing)."""

    opening: str
    closing: str = ""  # "\n": the end of the line, which is no part of it
    kind: int = STRING
    escapes: bool = False  # a backslash takes the next byte with it
    doubles: bool = (
        False  # the closing mark, which is one byte, stands for itself when it is doubled
    )
    lines: bool = False  # may run over several lines
    shape: int = PLAIN_SHAPE


@dataclass(frozen=True, eq=False, repr=False)
class Family:
    """One way of cutting text. `kept` words survive abstraction; `called` ones only before a parenthesis."""

    name: str
    spans: tuple[Span, ...] = ()
    kept: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()  # words that belong to a string directly after them
    docstrings: bool = False  # a string alone on its lines is prose
    abstract: bool = True  # the semi-abstract form says something in this family
    folds: bool = False  # words are the same in capitals
    islands: tuple[tuple[str, str], ...] = ()  # elements whose inside is of another family

    def __post_init__(self) -> None:
        # Side by side where they begin alike, the longest first.
        ordered = sorted(self.spans, key=lambda each: (each.opening[0], -len(each.opening)))
        object.__setattr__(self, "spans", tuple(ordered))

    def reserved(self) -> dict[int, int]:
        """Exact id to kind of the words that are the language's."""
        kinds = {PREFIX: self.prefixes, CALLED: self.called, KEPT: self.kept}
        return {word_id(word): kind for kind, words in kinds.items() for word in words}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _string(quote: str, closing: str = "", *, lines: bool = False, escapes: bool = True) -> Span:
    return Span(quote, closing or quote, escapes=escapes, lines=lines)


def _doubling(opening: str) -> Span:
    """A string that takes its quote when it is doubled, and line ends."""
    return Span(opening, opening[-1], doubles=True, lines=True)


def _block(opening: str, closing: str) -> Span:
    return Span(opening, closing, COMMENT, lines=True)


def _remark(opening: str, shape: int = PLAIN_SHAPE) -> Span:
    return Span(opening, "\n", COMMENT, shape=shape)


_DOUBLE, _SINGLE = _string('"'), _string("'")
_SLASHES = (_remark("//"), _block("/*", "*/"))

PYTHON = Family(
    "python",
    (_string('"""', lines=True), _string("'''", lines=True), _DOUBLE, _SINGLE, _remark("#")),
    reserved.PYTHON,
    reserved.PYTHON_CALLED,
    prefixes=reserved.PYTHON_PREFIXES,
    docstrings=True,
)
SCRIPT = Family(
    "script",
    (*_SLASHES, _DOUBLE, _SINGLE, _string("`", lines=True), Span("/", shape=PATTERN)),
    reserved.SCRIPT,
    reserved.SCRIPT_CALLED,
)
# A quote may also stand in a number or begin a lifetime: it is one of a character only if that is all.
_CHARACTER = Span("'", "'", shape=CHARACTER)
_SCOPE, _ARROW = Span("::", kind=DOT), Span("->", kind=DOT)  # what follows is named elsewhere
_PADDED = _remark("#", SEPARATE)  # as in $# and a#b, where it is no remark

C = Family(
    "c",
    (*_SLASHES, _DOUBLE, _CHARACTER, _ARROW),
    reserved.C,
    reserved.C_CALLED,
    prefixes=_words("L u U u8"),
)
CPP = Family(
    "cpp",
    (*_SLASHES, _DOUBLE, _CHARACTER, _SCOPE, _ARROW,
     *(Span(f'{prefix}R"', lines=True, shape=RAW) for prefix in ("", "L", "u", "U", "u8"))),
    reserved.CPP,
    reserved.C_CALLED,
    prefixes=C.prefixes,
)  # fmt: skip
JAVA = Family(
    "java",
    # What follows an @ is an annotation's name, which is its library's.
    (*_SLASHES, _string('"""', lines=True), _DOUBLE, _CHARACTER, _SCOPE, Span("@", kind=DOT)),
    reserved.JAVA,
)
CSHARP = Family(
    "csharp",
    (*_SLASHES, _string('"""', lines=True, escapes=False), _DOUBLE, _string('$"', '"'), _CHARACTER,
     *map(_doubling, ('@"', '$@"', '@$"')), _SCOPE),
    reserved.CSHARP,
)  # fmt: skip
GO = Family(
    "go",
    (*_SLASHES, _DOUBLE, _CHARACTER, _string("`", lines=True, escapes=False)),
    reserved.GO,
    reserved.GO_CALLED,
)
RUST = Family(
    "rust",
    (*_SLASHES, _string('"', lines=True), _CHARACTER, _SCOPE,
     *(_string(f'{prefix}{"#" * fences}"', f'"{"#" * fences}', lines=True, escapes=False)
       for prefix in ("r", "br", "cr") for fences in range(4))),
    reserved.RUST,
    prefixes=_words("b c"),
)  # fmt: skip
PHP = Family(
    "php",
    (*_SLASHES, _remark("#"), Span("#[", kind=OPEN), _DOUBLE, _SINGLE,
     Span("<<<", lines=True, shape=HEREDOC), _SCOPE, _ARROW),
    reserved.PHP,
    reserved.PHP_CALLED,
)  # fmt: skip
BRACES = Family(  # Kotlin, Scala, Swift, Dart, ...
    "braces",
    (*_SLASHES, _string('"""', lines=True, escapes=False), _DOUBLE, _SINGLE, _SCOPE),
    reserved.BRACES,
)
SHELL = Family(
    "shell",
    (_PADDED, _string('"', lines=True), _string("'", lines=True, escapes=False), _string("$'", "'"),
     Span("<<", lines=True, shape=HEREDOC), Span("<<<", kind=MARK), Span("\\'", kind=MARK), Span('\\"', kind=MARK)),
    reserved.SHELL,
)  # fmt: skip
RUBY = Family(
    "ruby",
    (_PADDED, _DOUBLE, _SINGLE, _string("`"), _SCOPE, Span("<<", lines=True, shape=HEREDOC)),
    reserved.RUBY,
    reserved.RUBY_CALLED,
)
PERL = Family(
    "perl",
    (_PADDED, _DOUBLE, _SINGLE, _SCOPE, _ARROW, Span("<<", lines=True, shape=HEREDOC)),
    reserved.PERL,
    reserved.PERL_CALLED,
)
R = Family(
    "r",
    (
        _remark("#"),
        _string('"', lines=True),
        _string("'", lines=True),
        _SCOPE,
        Span("$", kind=DOT),
    ),
    reserved.R,
    reserved.R_CALLED,
)
ELIXIR = Family("elixir", (_PADDED, _string('"""', lines=True), _DOUBLE, _SINGLE), reserved.ELIXIR)
HASHED = Family(  # Makefiles, Dockerfiles, CMake, PowerShell, ...
    "hashed",
    (_PADDED, _block("<#", "#>"), _DOUBLE, _SINGLE),
    reserved.HASHED,
    reserved.HASHED_CALLED,
)
LUA = Family(
    "lua",
    (
        _remark("--"),
        _block("--[[", "]]"),
        _DOUBLE,
        _SINGLE,
        _string("[[", "]]", lines=True, escapes=False),
    ),
    reserved.LUA,
    reserved.LUA_CALLED,
)
SQL = Family(
    "sql",
    (
        _remark("--"),
        _block("/*", "*/"),
        *map(_doubling, "'\"`"),
    ),
    reserved.SQL,
    reserved.SQL_CALLED,
    folds=True,
)
# An apostrophe in the text of a page begins no string: only values of attributes are.
HTML = Family(
    "html",
    (_block("<!--", "-->"),
     *(_string(f"={mark}", mark, lines=True, escapes=False) for mark in "\"'")),
    abstract=False,
    islands=(("script", "script"), ("style", "style")),
)  # fmt: skip
STYLE = Family("style", (_block("/*", "*/"), _DOUBLE, _SINGLE), abstract=False)
LESS = Family("less", (*_SLASHES, _DOUBLE, _SINGLE), abstract=False)
SETTINGS = Family("settings", (_PADDED,), abstract=False)  # whose values are read as words
PLAIN = Family("plain", abstract=False)

# Files of facts and settings: that two of them agree is worth knowing, but says little.
DATA_LANGUAGES = frozenset(
    {"csv", "ini", "json", "json5", "jsonc", "jsonl", "properties", "toml", "xml", "yaml"}
)

_LANGUAGES = {
    PYTHON: "python cython starlark",
    SCRIPT: "javascript javascriptreact typescript typescriptreact jsx tsx",
    JAVA: "java",
    C: "c cuda-c opencl",
    CPP: "cpp objective-c objective-cpp cuda-cpp glsl hlsl arduino",
    CSHARP: "csharp",
    GO: "go",
    RUST: "rust",
    PHP: "php",
    BRACES: "kotlin scala swift dart groovy solidity zig proto",
    SHELL: "shellscript bash zsh sh",
    RUBY: "ruby crystal",
    PERL: "perl perl6 raku",
    R: "r",
    ELIXIR: "elixir",
    HASHED: "makefile dockerfile cmake powershell tcl julia nim nix just fish",
    LUA: "lua luau",
    SQL: "sql mysql plsql postgres sqlite",
    HTML: "html xml xhtml xsl svg vue svelte handlebars",
    STYLE: "css",
    LESS: "less scss sass",
    SETTINGS: "toml yaml ini properties dotenv ignore pip-requirements",
}
FAMILIES = (*_LANGUAGES, PLAIN)
_OF = {name: family for family, names in _LANGUAGES.items() for name in names.split()}


def family_of(language: str) -> Family:
    """The family of a language id as editors name it; unknown ones are plain words and marks."""
    return _OF.get(language, PLAIN)
