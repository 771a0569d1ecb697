"""How the languages are cut into tokens: five families, each one regular expression and its reserved words."""

import builtins
import keyword
import re
from dataclasses import dataclass
from functools import cache

# Names, numbers and punctuation with one optional blank after them: the blank is part of the match
# because skipping it separately costs the regex engine a fresh attempt at every alternative.
_WORD = r"[A-Za-z_0-9]++ ?"
_MARK = r"[-().,:=\[\]{}+*%<>!&|^@~;?] ?"
_NEWLINE = r"\n[ \t\n\f]*+"
_REST = r"\w++|[^\w\s]"
_DOUBLE = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?'
_SINGLE = r"'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?"
_TRIPLE = (
    r'"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:"""|\\?\Z)'
    r"|'''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+(?:'''|\\?\Z)"
)
_TEMPLATE = r"`[^`\\$]*+(?:(?:\\.|\$(?:\{[^{}`]*+\})?)[^`\\$]*+)*+`?"
_HASH_COMMENT = r"#[^\n]*+"
_SLASH_COMMENT = r"//[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\*?\Z)"
# A slash starts a regular expression only where no value can stand before it. The bounds keep a text
# of nothing but such slashes from being read to its end from each of them.
_REGEX = (
    r"(?:(?<=[=(,:\[!&|?{};])|(?<=[=(,:\[!&|?] )|(?<=return ))/(?![*/ ])"
    r"(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.){0,200}+\]){1,1500}+/[a-z]*+"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PYTHON_KEPT = frozenset(keyword.kwlist) | frozenset(
    name for name in dir(builtins) if name[0].isupper() or name.startswith("__")
)
_PYTHON_CALLED = frozenset(
    name for name in dir(builtins) if name[0].islower() and name not in _PYTHON_KEPT
) - {"copyright", "credits", "exit", "license", "quit"}

# Not the contextual words of TypeScript (type, number, constructor, ...): people name variables so.
_SCRIPT_KEPT = _words(
    """async await break case catch class const continue debugger default delete do else enum export
    extends false finally for function if implements import in instanceof interface let new null of
    private protected public return static super switch this throw true try typeof undefined var void
    while with yield
    Array ArrayBuffer BigInt Boolean DataView Date Error Float32Array Float64Array Infinity Int32Array
    JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String
    Symbol SyntaxError TypeError Uint16Array Uint32Array Uint8Array URL WeakMap WeakSet console
    exports globalThis require window"""
)
_SCRIPT_CALLED = _words(
    """clearInterval clearTimeout decodeURIComponent encodeURIComponent fetch isFinite isNaN
    parseFloat parseInt queueMicrotask requestAnimationFrame setInterval setTimeout structuredClone"""
)
_BRACES_KEPT = _words(
    """abstract as assert async auto await bool boolean break byte case catch chan char class const
    constexpr continue crate default defer delete do double dyn else elif endif enum error explicit
    export extends extern false final finally float fn for foreach friend func go goto if ifdef ifndef
    impl implements import in include inline int int16_t int32_t int64_t int8_t interface internal is
    let long loop macro_rules map match mod move mut namespace new nil noexcept null nullptr operator
    override package priv private protected pub public range readonly ref register return self sealed
    short signed size_t sizeof static std string struct super switch template this throw throws trait
    true try type typedef typename u16 u32 u64 u8 uint16_t uint32_t uint64_t uint8_t i16 i32 i64 i8 f32
    f64 usize isize str union unsafe unsigned use using val var vector virtual void volatile when where
    while yield Box Err None Ok Option Result Self Some String Vec"""
)
_HASHED_KEPT = _words(
    """alias and begin break case class continue def do done elif else elsif end ensure esac exit
    export false fi for function if in local module next nil not or redo require rescue retry return
    self shift source sub super then true undef unless unset until use when while yield my our"""
)
_HASHED_CALLED = _words(
    "cat cd cp echo eval exec grep mkdir mv print printf puts raise read rm sed set test"
)


@dataclass(frozen=True)
class Family:
    """One way of cutting text. `kept` words survive abstraction; `called` ones only before a parenthesis."""

    name: str
    pattern: re.Pattern[str]
    spans: re.Pattern[str]  # strings and comments alone
    comments: tuple[str, ...]  # how a comment token begins
    kept: frozenset[str]
    called: frozenset[str]
    docstrings: bool = False  # a string alone on its lines is prose
    abstract: bool = True  # the semi-abstract form says something in this family


def _family(name: str, *alternatives: str, **fields: object) -> Family:
    pattern = re.compile("|".join((_WORD, _MARK, _NEWLINE, *alternatives, _REST)), re.DOTALL)
    spans = re.compile("|".join(alternatives) or "(?!)", re.DOTALL)
    return Family(name, pattern, spans, **fields)  # type: ignore[arg-type]  # fields are named below


PYTHON = _family(
    "python",
    *(_TRIPLE, _DOUBLE, _SINGLE, _HASH_COMMENT),
    comments=("#",),
    kept=_PYTHON_KEPT,
    called=_PYTHON_CALLED,
    docstrings=True,
)
SCRIPT = _family(
    "script",
    *(_DOUBLE, _SINGLE, _TEMPLATE, _SLASH_COMMENT, _REGEX),
    comments=("//", "/*"),
    kept=_SCRIPT_KEPT,
    called=_SCRIPT_CALLED,
)
BRACES = _family(
    "braces",
    *(_DOUBLE, _SINGLE, _SLASH_COMMENT),
    comments=("//", "/*"),
    kept=_BRACES_KEPT,
    called=frozenset(),
)
HASHED = _family(
    "hashed",
    *(_DOUBLE, _SINGLE, _HASH_COMMENT),
    comments=("#",),
    kept=_HASHED_KEPT,
    called=_HASHED_CALLED,
)
PLAIN = _family("plain", comments=(), kept=frozenset(), called=frozenset(), abstract=False)

# Inside docstrings: words only, for their punctuation is layout as often as not.
PROSE_WORDS = Family(
    "prose",
    re.compile(r"[A-Za-z_0-9]++ ?|\n[ \t\n\f]*+|\w++"),
    re.compile("(?!)"),
    (),
    frozenset(),
    frozenset(),
    abstract=False,
)

FAMILIES = (PYTHON, SCRIPT, BRACES, HASHED, PLAIN)

# Files of facts and settings: that two of them agree is worth knowing, but says little.
DATA_LANGUAGES = frozenset(
    {"csv", "ini", "json", "json5", "jsonc", "jsonl", "properties", "toml", "xml", "yaml"}
)

_LANGUAGES: dict[str, Family] = {
    **dict.fromkeys(("python", "cython", "starlark"), PYTHON),
    **dict.fromkeys(
        ("javascript", "javascriptreact", "typescript", "typescriptreact", "vue", "svelte", "jsx", "tsx"),
        SCRIPT,
    ),
    **dict.fromkeys(
        ("c", "cpp", "csharp", "java", "kotlin", "go", "rust", "scala", "swift", "dart", "php",
         "objective-c", "cuda-cpp", "glsl", "groovy"),
        BRACES,
    ),
    **dict.fromkeys(("shellscript", "ruby", "perl", "r", "makefile", "dockerfile", "cmake", "elixir"), HASHED),
}  # fmt: skip


@cache
def family_of(language: str) -> Family:
    """The family of a language id as editors name it; unknown ones are plain words and marks."""
    return _LANGUAGES.get(language, PLAIN)
