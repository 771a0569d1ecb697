"""A recipe that ships with the trainer is a recipe that the trainer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.repository import ROOT
from trainer.config import load_recipe

if TYPE_CHECKING:
    from pathlib import Path

RECIPES = sorted((ROOT / "trainer" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_parses(path: Path) -> None:
    recipe = load_recipe(path.stem)

    assert recipe.name == path.stem
    assert recipe.model.hidden > 0


def test_there_are_recipes() -> None:
    assert RECIPES
