"""What is on record about a checkpoint and its corpus; what is not on record stays unknown."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.curation.benchmarks import packaged
from indexer.curation.parameters import Parameters
from indexer.curation.reports import statistics
from indexer.curation.sources import Recipe, RecipeError, default_manifest, read_recipe
from indexer.shards import CorpusUnavailable, Manifest, open_shards
from trainer.release.source import ReleaseError, Source

EVALUATION = "evaluation.json"


@dataclass(frozen=True, slots=True)
class CorpusRecord:
    """A corpus that has the hash which the checkpoint names."""

    manifest: Manifest
    statistics: Mapping[str, Any]
    recipe: Recipe | None  # None: it was built from another recipe than the installed one
    parameters: Parameters | None
    benchmark_exercises: int


def corpus_record(source: Source, folder: Path, recipe_file: Path | None) -> CorpusRecord:
    """The record of the corpus in `folder`.

    ReleaseError when it is not the one that the checkpoint was trained on.
    """
    try:
        manifest = open_shards(folder)
    except CorpusUnavailable as error:
        raise ReleaseError(str(error)) from error
    expected = str(dict(source.about.get("corpus", {})).get("hash", ""))
    if not expected:
        raise ReleaseError(
            f"{source.folder} does not say which corpus it was trained on, so {folder} cannot be "
            "described as its data: leave --corpus out"
        )
    if manifest.corpus_hash != expected:
        raise ReleaseError(
            f"the corpus in {folder} has the hash {manifest.corpus_hash[:12]}, the checkpoint was "
            f"trained on {expected[:12]}: name the folder of that corpus with --corpus, or leave it "
            "out, and the cards will say that it is unknown"
        )
    recipe = _recipe(manifest, recipe_file)
    return CorpusRecord(
        manifest=manifest,
        statistics=statistics(manifest),
        recipe=recipe,
        parameters=Parameters() if recipe else None,
        benchmark_exercises=len(packaged().windows) if recipe else 0,
    )


def _recipe(manifest: Manifest, file: Path | None) -> Recipe | None:
    """The recipe, if its hash is the one that the corpus names; the parameters are part of it."""
    try:
        recipe = read_recipe(file or default_manifest())
    except (RecipeError, OSError) as error:
        if file is not None:
            raise ReleaseError(str(error)) from error
        return None
    if recipe.hash(Parameters()) == manifest.recipe_hash:
        return recipe
    if file is not None:
        raise ReleaseError(
            f"{file} has another hash than the recipe of the corpus ({manifest.recipe_hash[:12]}), "
            "or was built by another version of the curation: leave --recipe out"
        )
    return None


def evaluations(source: Source, files: Sequence[Path]) -> dict[str, Any]:
    """The results in the files given, else in the checkpoint's own evaluation.json; may be empty."""
    own = source.folder / EVALUATION
    chosen = list(files) or ([own] if own.is_file() else [])
    out: dict[str, Any] = {}
    for path in chosen:
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ReleaseError(
                f"{path} is no evaluation ({error}): write it with --json"
            ) from error
        if not isinstance(result, dict):
            raise ReleaseError(f"{path} is no evaluation: it holds no object with results")
        of = result.get("model")
        if isinstance(of, str) and source.about.get("name") not in (None, of):
            raise ReleaseError(
                f"{path} is the evaluation of {of!r}, not of {source.name!r}: name another file"
            )
        # One evaluation says what it is, or is called as its file; a file of several names them.
        single = {str(result.get("evaluation") or path.stem): result}
        for name, section in (single if "protocol" in result else result).items():
            if name in out:
                name = f"{name}, {path.stem}"
            if name in out:
                raise ReleaseError(f"two results are called {name!r}: rename {path}")
            out[name] = without_texts(section)
    return out


def without_texts(section: Any) -> Any:
    """A result without its single cases, which quote code that others hold the rights to."""
    if not isinstance(section, dict):
        return section
    return {key: value for key, value in section.items() if key not in ("cases", "samples")}


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    steps: int | None
    tokens: int | None
    seconds: float | None
    final_loss: float | None
    history: tuple[Mapping[str, Any], ...]  # one entry for each recipe, with its first step
    others: Mapping[str, Any]  # whatever else was recorded


_KNOWN = {"step", "steps", "tokens", "elapsed", "parameters", "final_loss", "history"}


def training_record(source: Source) -> TrainingRecord:
    values = dict(source.about.get("training", {}))
    history = values.get("history")
    return TrainingRecord(
        steps=_number(values.get("step", values.get("steps")), int),
        tokens=_number(values.get("tokens"), int),
        seconds=_number(values.get("elapsed"), float),
        final_loss=_number(values.get("final_loss"), float),
        history=tuple(
            each
            for each in (history if isinstance(history, list) else ())
            if isinstance(each, dict) and isinstance(each.get("recipe"), dict)
        ),
        others={name: value for name, value in values.items() if name not in _KNOWN},
    )


def _number(value: Any, kind: Any) -> Any:
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def flattened(values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Nested objects as one table of dotted names."""
    out: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            out.update(flattened(value, f"{at}{name}."))
        else:
            out[f"{at}{name}"] = value
    return out
