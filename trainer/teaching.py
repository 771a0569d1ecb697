"""What a model was shown of a layout: it must not be asked by tokens that it never saw."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.api import ModelUnavailable
from engine.checkpoint import read_checkpoint
from engine.fim import FimLayout
from trainer import checkpoints


def layout_taught(
    layout: FimLayout, history: Iterable[Mapping[str, Any]], start: Path | None = None
) -> FimLayout:
    """The part of the layout that the recipes of a run showed, or what it was started from knew.

    `history` is that of the run's record: each entry has its recipe under that name.
    """
    recipes = [each["recipe"] for each in history]
    before = None
    if start is not None and (start / "state.json").is_file():
        recipes += [each["recipe"] for each in checkpoints.read(start).values["history"]]
    elif start is not None:
        try:
            before = read_checkpoint(start).layout
        except ModelUnavailable:
            before = None  # it names no layout; its weights were read all the same
    rates = [_rates(each) for each in recipes]

    def kept(token: str, name: str, rate: str) -> str:
        was_shown = any(each[rate] > 0 for each in rates)
        return token if was_shown or (before and getattr(before, name) == token) else ""

    return replace(
        layout,
        file_name=kept(layout.file_name, "file_name", "path_rate"),
        repo_name=kept(layout.repo_name, "repo_name", "package_rate"),
        file_sep=kept(layout.file_sep, "file_sep", "repository_rate"),
        spm=layout.spm if any(each["spm_rate"] > 0 for each in rates) or before else (),
    )


def _rates(recipe: Mapping[str, Any]) -> dict[str, float]:
    """The highest rates of all stages of a recipe; an old one that lacks a rate had none."""
    spans, long = recipe.get("spans", {}), recipe.get("long", {})
    names = ("path_rate", "package_rate", "repository_rate", "spm_rate")
    rates = {name: float(spans.get(name, 0.0)) for name in names}
    if long.get("share"):
        rates["repository_rate"] = max(rates["repository_rate"], long["repository_rate"])
    return rates
