"""Which language a file is in when its text is asked about: of more files than a corpus takes (languages.py)."""

import re

from indexer.attribution.families import DATA_LANGUAGES, PLAIN, family_of
from indexer.languages import NOTEBOOK, NOTEBOOK_ENDING, language_of

_MORE_ENDINGS = {
    "handlebars": "handlebars hbs",
    "html": "astro cshtml ejs erb jsp liquid njk",
    "javascript": "es6 gs jsm",
    "mdx": "mdx",
    "python": "sage",
    NOTEBOOK: NOTEBOOK_ENDING.removeprefix("."),
}
_BY_ENDING = {ending: name for name, endings in _MORE_ENDINGS.items() for ending in endings.split()}
_BY_NAME = dict.fromkeys(("sconscript", "sconstruct", "snakefile", "wscript"), "python")
# Of a template, or of annotated code, whose own ending stands in front: table.py.j2, form.ts.ejs.
_ON_TOP = frozenset(
    "ejs erb flow handlebars hbs in j2 jinja jinja2 liquid mustache njk template tmpl tpl".split()
)
_SHEBANG = re.compile(r"#!([^\r\n]{0,200})")
_RUNNERS = frozenset({"busybox", "bunx", "env", "npx"})  # whose argument is the interpreter
_PROGRAMS = {
    "elixir": "elixir",
    "groovy": "groovy",
    "javascript": "gjs node nodejs qjs zx",
    "julia": "julia",
    "lua": "lua luajit",
    "makefile": "make",
    "perl": "perl",
    "php": "php",
    "powershell": "pwsh",
    "python": "ipython pypy python sage uv",
    "r": "rscript",
    "ruby": "jruby ruby",
    "scala": "scala",
    "shellscript": "ash bash bats dash ksh mksh sh zsh",
    "swift": "swift",
    "tcl": "tclsh wish",
    "typescript": "bun deno ts-node tsx",
}
_BY_PROGRAM = {each: name for name, programs in _PROGRAMS.items() for each in programs.split()}


def language_as_checked(path: str, text: str = "") -> str:
    """The language of a path when its text is asked about, "" where it tells none.

    Of a script whose name has no ending the first line of the text tells it.
    """
    known = language_of(path)
    if known:
        return known
    name = _last(path)
    if "." in name:
        return _by_ending(name)
    return _BY_NAME.get(name) or _by_program(text)


def _by_ending(name: str) -> str:
    below, _, ending = name.rpartition(".")
    # A Makefile.in is made by a program, and longer than any other: what is below has an ending, too.
    if ending in _ON_TOP and "." in below:
        language = language_of(below) or _BY_ENDING.get(below.rpartition(".")[2], "")
        if family_of(language) is not PLAIN and language not in DATA_LANGUAGES:
            return language
    return _BY_ENDING.get(ending, "")


def _by_program(text: str) -> str:
    """The language of the interpreter that the first line of a script names, "" without one that we know."""
    shebang = _SHEBANG.match(text)
    for word in shebang[1].split() if shebang else ():
        word = word.removeprefix("-S")  # of env, also without a blank behind it
        program = _last(word).removesuffix(".exe")
        if program and program not in _RUNNERS and not word.startswith("-") and "=" not in word:
            return _BY_PROGRAM.get(program.rstrip("0123456789."), "")
    return ""


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].lower()
