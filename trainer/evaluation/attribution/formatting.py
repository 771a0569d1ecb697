"""Lays copies out anew with the formatters people use: ruff and `ast` for Python, prettier for scripts.

Where prettier is not installed a layout of our own stands in for it; the record says which ran.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from indexer.home import data_home
from trainer.evaluation.attribution.passages import SCRIPTS
from trainer.evaluation.syntax import parsed

_ENDINGS = {
    "python": ".py",
    "javascript": ".js",
    "javascriptreact": ".jsx",
    "typescript": ".ts",
    "typescriptreact": ".tsx",
}
_RUFF_STYLES = (
    ("line-length=88",),
    ("line-length=60", "indent-width=2", 'format.quote-style="single"'),
    ("line-length=120", 'format.indent-style="tab"', "format.skip-magic-trailing-comma=true"),
)
_PRETTIER_STYLES = (
    ("--print-width=80",),
    ("--print-width=60", "--tab-width=4", "--single-quote", "--trailing-comma=none"),
    ("--print-width=120", "--use-tabs", "--no-semi", "--arrow-parens=avoid"),
)
_SECONDS = 300


def formatters() -> dict[str, str | None]:
    """The program that formats each group of languages here, if there is one."""
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.is_file() else shutil.which("ruff")
    own = data_home() / "tools" / "node_modules" / ".bin" / "prettier"
    return {"python": ruff, "scripts": str(own) if own.is_file() else shutil.which("prettier")}


def described() -> str:
    """What formats here, as a protocol says it."""
    found = formatters()
    python = "ruff format in three styles and ast.unparse" if found["python"] else "ast.unparse"
    scripts = "prettier in three styles" if found["scripts"] else "a layout of our own"
    return f"{python} for Python, {scripts} for JavaScript and TypeScript"


def reformatted(texts: Sequence[tuple[str, str, int]]) -> list[str | None]:
    """Each (text, language, seed) laid out anew, or None where the formatter left it or refused it."""
    found = formatters()
    result: list[str | None] = [None] * len(texts)
    groups: dict[tuple[str, int], list[int]] = {}
    for number, (text, language, seed) in enumerate(texts):
        style = Random(seed).randrange(4 if language == "python" else 3)
        program = found["python" if language == "python" else "scripts"]
        if language == "python" and (style == 3 or not program):
            result[number] = _unparsed(text)
        elif program:
            groups.setdefault((program, style), []).append(number)
        else:
            result[number] = script_layout(text, Random(seed))
    for (program, style), numbers in groups.items():
        made = _formatted(program, style, [texts[each] for each in numbers])
        for number, laid_out in zip(numbers, made, strict=True):
            result[number] = laid_out
    return [
        made if made is not None and made.split("\n") != text.rstrip("\n").split("\n") else None
        for (text, _, _), made in zip(texts, result, strict=True)
    ]


def _formatted(program: str, style: int, texts: Sequence[tuple[str, str, int]]) -> list[str | None]:
    """One run of a formatter over a folder of files."""
    with tempfile.TemporaryDirectory(prefix="footnote-format-") as folder:
        paths = []
        for number, (text, language, _) in enumerate(texts):
            paths.append(Path(folder) / f"{number}{_ENDINGS[language]}")
            paths[-1].write_text(text + "\n", encoding="utf-8")
        if texts[0][1] in SCRIPTS:
            command = [program, "--log-level=silent", "--no-config", *_PRETTIER_STYLES[style]]
            command += ["--write", "."]
        else:
            options = [word for each in _RUFF_STYLES[style] for word in ("--config", each)]
            command = [program, "format", "--isolated", "--quiet", *options, "."]
        # Files that do not parse fail the run and are left as they are; the others are written.
        subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=_SECONDS)
        return [path.read_text(encoding="utf-8").rstrip("\n") for path in paths]


def _unparsed(text: str) -> str | None:
    tree = parsed(text)
    return ast.unparse(tree) if tree else None


def script_layout(text: str, rng: Random) -> str:
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
