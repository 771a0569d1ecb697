"""Where a parcel works on the machine that it was carried to, and what it lays out there."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer.config import Recipe, load_recipe
from trainer.parcel.blocks import unpack_corpus
from trainer.parcel.parts import join


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of a parcel, what it lists, and when this command began (time.monotonic())."""

    work: Path
    home: Path  # what is put here is carried home
    listed: dict[str, Any]
    began: float

    @property
    def files(self) -> Path:
        return self.work / "files"

    @property
    def run(self) -> Path:
        return self.work / "run"

    def winner(self) -> tuple[str, ...]:
        """Changes of the recipe that `probe` found fastest; none before it was asked."""
        path = self.work / "probe.json"
        if not path.is_file():
            return ()
        return tuple(json.loads(path.read_text(encoding="utf-8"))["winner"])


@dataclass(frozen=True, slots=True)
class Laid:
    """A parcel's contents, laid out for training."""

    corpus: Path
    tokenizer: Path
    recipe_file: Path
    changes: tuple[str, ...]
    start: Path | None

    def recipe(self, more: tuple[str, ...] = ()) -> Recipe:
        """The recipe with its changes, and no more workers than there are cores for."""
        recipe = load_recipe(self.recipe_file, (*self.changes, *more))
        workers = min(recipe.data.workers, max(1, (os.cpu_count() or 2) - 2))
        return replace(recipe, data=replace(recipe.data, workers=workers))


def lay_out(place: Place) -> Laid:
    """Unpack what is not unpacked yet. ValueError when it is not what was packed."""
    listed, files = place.listed, place.files
    data = place.work / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name in ("corpus", "held-out"):
        if about := listed.get(name):
            unpack_corpus([files / each for each in about["files"]], data / name, about)
    if (group := listed.get("resume")) and not any(place.run.glob("checkpoint-*")):
        join(group, {each["name"]: files / each["name"] for each in group["parts"]}, place.run)
    start = None
    if group := listed.get("start"):
        start = place.work / "start"
        if not start.is_dir():
            found = {each["name"]: files / each["name"] for each in group["parts"]}
            join(group, found, place.work)
    return Laid(data / "corpus", files, files / listed["recipe"], tuple(listed["changes"]), start)
