"""The user's own list of what the next build leaves out: FOOTNOTE_HOME/optout.toml."""

import fnmatch
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexer.curation.sources import RecipeError
from indexer.home import data_home


@dataclass(frozen=True, slots=True)
class OptOut:
    """A package, or the files of it (`*`: of any) whose path fits a pattern."""

    package: str
    path: str = "*"

    def covers(self, package: str, path: str) -> bool:
        named = self.package == "*" or self.package.lower() == package.lower()
        return named and fnmatch.fnmatchcase(path, self.path)


def optout_file() -> Path:
    return data_home() / "optout.toml"


def read_opt_outs(path: Path) -> tuple[OptOut, ...]:
    """The list; empty when there is no file. Raises RecipeError when it is not readable."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return tuple(
            OptOut(str(each["package"]), str(each.get("path", "*")))
            for each in raw.get("optout", ())
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{path} is not readable: {error!r}; mend or delete it") from error


def add_opt_out(path: Path, entry: OptOut) -> bool:
    """Append an entry; False when it was there already."""
    known = read_opt_outs(path)
    if entry in known:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# Left out of the corpus at the next `footnote corpus build`."]
    for each in (*known, entry):
        # A JSON string is a valid TOML basic string.
        lines += ["", "[[optout]]", f"package = {json.dumps(each.package)}",
                  f"path = {json.dumps(each.path)}"]  # fmt: skip
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(path)
    return True


def matcher(entries: tuple[OptOut, ...]) -> Callable[[str, str], str | None]:
    """A function of (package, path) that names the entry covering it, if one does."""

    def covering(package: str, path: str) -> str | None:
        for each in entries:
            if each.covers(package, path):
                return f"{each.package} {each.path}"
        return None

    return covering
