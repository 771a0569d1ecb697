"""A model folder claims only what the model was shown."""

from dataclasses import asdict, replace

import pytest
import torch

from engine.fim import FimLayout
from tests.support.tiny import write_tiny
from trainer import checkpoints
from trainer.config import LongRecipe, Recipe, SpanRecipe
from trainer.teaching import layout_taught

NOTHING = SpanRecipe(path_rate=0.0, package_rate=0.0, repository_rate=0.0)


def history(*recipes):
    return [{"from_step": 0, "recipe": asdict(each)} for each in recipes]


@pytest.mark.parametrize(
    ("recipe", "unknown"),
    [
        (Recipe("a"), {"file_sep"}),
        (Recipe("a", spans=replace(SpanRecipe(), repository_rate=0.1)), set()),
        (Recipe("a", long=LongRecipe(share=0.1, rows=4)), set()),
        (Recipe("a", long=LongRecipe(share=0.0)), {"file_sep"}),
        (Recipe("a", spans=NOTHING), {"file_sep", "repo_name", "file_name"}),
    ],
)
def test_tokens_that_no_stage_showed_are_not_claimed(recipe, unknown):
    layout = layout_taught(FimLayout(), history(recipe))

    assert {name for name, value in asdict(layout).items() if not value} == unknown


def test_one_order_alone_is_not_claimed_to_be_two():
    recipe = Recipe("a", spans=replace(SpanRecipe(), spm_rate=0.0))

    assert layout_taught(FimLayout(), history(recipe)).spm == ()


def test_an_earlier_recipe_of_the_run_counts(tmp_path):
    earlier = Recipe("a", spans=replace(SpanRecipe(), repository_rate=0.1))

    assert layout_taught(FimLayout(), history(earlier, Recipe("a", spans=NOTHING))) == FimLayout()


def test_what_the_model_knew_before_is_kept(tmp_path):
    shown = Recipe("a", spans=replace(SpanRecipe(), repository_rate=0.1))
    values = {"history": history(shown)}
    saved = checkpoints.save(tmp_path / "run", 3, values, {"a": torch.zeros(1)}, keep=1)
    folder = write_tiny(tmp_path / "tiny")
    now = history(Recipe("a", spans=NOTHING))

    assert layout_taught(FimLayout(), now, folder) == FimLayout()
    assert layout_taught(FimLayout(), now, saved) == FimLayout()
    assert layout_taught(FimLayout(), now) != FimLayout()
