"""Reads corpus.toml: which packages, at which version, with which hash and licence."""

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from indexer.curation.parameters import Parameters

KINDS = ("pypi", "npm", "debian", "git", "folder", "parquet")


class RecipeError(Exception):
    """corpus.toml cannot be used; the message names the entry and what it needs."""


@dataclass(frozen=True, slots=True)
class Source:
    """One pinned package."""

    kind: str
    name: str
    version: str
    file: str  # file name; for folder and parquet a path, for git the address to clone
    sha256: str  # of the file; git: the tree hash; folder: of its listing, may be empty
    license: str  # SPDX expression
    small: bool = False
    held_out: bool = False

    @property
    def label(self) -> str:
        return f"{self.kind}:{self.name}@{self.version}"

    @property
    def key(self) -> str:
        """A file name that changes whenever the content may."""
        text = json.dumps(
            [
                self.kind,
                self.name,
                self.version,
                self.sha256,
                self.license,
                self.file,
                self.held_out,
            ]
        )
        safe = re.sub(r"[^A-Za-z0-9.]+", "-", f"{self.name}-{self.version}").strip("-")
        return f"{self.kind}-{safe[:80]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    version: str
    licenses: frozenset[str]
    sources: tuple[Source, ...]
    held_out: tuple[Source, ...]
    content_hash: str  # of the parsed TOML, so that comments do not count

    def hash(self, parameters: Parameters) -> str:
        """Names the output: same hash, same corpus."""
        text = f"{self.content_hash}\n{parameters.digest()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def stage_hash(self, parameters: Parameters) -> str:
        """Names the output of stage 1, which knows one source at a time."""
        text = json.dumps([sorted(self.licenses), parameters.digest()])
        return hashlib.sha256(text.encode()).hexdigest()

    def selected(self, *, small: bool) -> tuple[Source, ...]:
        return tuple(each for each in self.sources if each.small or not small)


def default_manifest() -> Path:
    """The corpus.toml that ships with the package."""
    return Path(str(resources.files("indexer.curation") / "corpus.toml"))


def read_recipe(path: Path) -> Recipe:
    """Parse and check the manifest. Relative paths in it are relative to its folder."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"there is no manifest at {path}: name one with --manifest") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not readable TOML: {error}") from error
    corpus = raw.get("corpus", {})
    licenses = frozenset(corpus.get("licenses", ()))
    if not licenses:
        raise RecipeError(f"{path}: [corpus] needs `licenses`, the allowed SPDX identifiers")
    canonical = json.dumps(raw, sort_keys=True, default=str)
    sources = tuple(_source(each, path, held_out=False) for each in raw.get("source", ()))
    held_out = tuple(_source(each, path, held_out=True) for each in raw.get("held_out", ()))
    labels = [each.label for each in sources + held_out]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise RecipeError(f"{path}: listed twice: {', '.join(twice)}")
    return Recipe(
        name=str(corpus.get("name", "corpus")),
        version=str(corpus.get("version", "")),
        licenses=licenses,
        sources=sources,
        held_out=held_out,
        content_hash=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def _source(entry: dict[str, Any], manifest: Path, *, held_out: bool) -> Source:
    name = entry.get("name", "(no name)")
    required = ["kind", "name", "version", "file", "license"]
    if entry.get("kind") != "folder":
        required.append("sha256")
    missing = [key for key in required if not entry.get(key)]
    if missing:
        raise RecipeError(f"{manifest}: source {name} needs {', '.join(missing)}")
    if entry["kind"] not in KINDS:
        raise RecipeError(f"{manifest}: source {name}: kind is one of {', '.join(KINDS)}")
    file = str(entry["file"])
    if entry["kind"] in ("folder", "parquet"):
        file = str((manifest.parent / file).resolve())
    elif entry["kind"] != "git" and Path(file).name != file:
        raise RecipeError(f"{manifest}: source {name}: file is a name without a folder")
    if str(entry["name"]).startswith("-") or str(entry["version"]).startswith("-"):
        raise RecipeError(f"{manifest}: source {name}: names and versions start with no dash")
    return Source(
        kind=str(entry["kind"]),
        name=str(entry["name"]),
        version=str(entry["version"]),
        file=file,
        sha256=str(entry.get("sha256", "")).lower(),
        license=str(entry["license"]),
        small=bool(entry.get("small", False)),
        held_out=held_out,
    )
