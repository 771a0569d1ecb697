"""From a start, a corpus and a number of epochs to a recipe that can be run."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from indexer.shards import open_shards
from trainer.config import ModelRecipe, Recipe, RecipeError, load_recipe, with_model
from trainer.data import Plan, make_block, open_source
from trainer.vocabulary import layout_in

_SAMPLED = 8  # blocks whose rows are counted


def finetune_recipe(
    name: str, changes: Sequence[str], model: ModelRecipe, languages: Sequence[str]
) -> Recipe:
    """A recipe completed by the shape of the start. RecipeError says which line to change."""
    for change in changes:
        if change.strip().startswith("model."):
            raise RecipeError(f"{change}: the shape of the model is that of --from")
    recipe = with_model(load_recipe(name, changes), model)
    if languages:
        recipe = replace(recipe, data=replace(recipe.data, languages=tuple(languages)))
    return recipe


def check_languages(corpus: Path, languages: Sequence[str]) -> None:
    """ValueError when the corpus has nothing of a language."""
    known = open_shards(corpus).languages
    for language in languages:
        if language not in known:
            raise ValueError(
                f"this corpus has no {language}: --language takes {', '.join(known) or 'nothing'}"
            )


def with_epochs(recipe: Recipe, epochs: float, corpus: Path, tokenizer: Path) -> Recipe:
    """The recipe with as many steps as so many epochs are.

    Rows are counted in the blocks of the first epoch themselves, where there are more than eight
    in eight of them, evenly spaced.
    """
    source = open_source(Plan(corpus, tokenizer, layout_in(tokenizer), recipe.spans, recipe.data))
    count = min(source.blocks, _SAMPLED)
    numbers = [number * source.blocks // count for number in range(count)]
    rows = sum(len(make_block(number, source).rows) for number in numbers)
    steps = max(1, math.ceil(epochs * rows / count * source.blocks / recipe.data.rows))
    warmup = min(recipe.optim.warmup_steps, max(1, steps // 5))
    return replace(
        recipe,
        run=replace(recipe.run, steps=steps),
        optim=replace(recipe.optim, warmup_steps=warmup),
    )
