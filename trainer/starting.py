"""Where a run's first weights come from when they are not random: a checkpoint or a model folder."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.api import ModelUnavailable
from engine.checkpoint import read_checkpoint, read_tensors
from trainer import checkpoints
from trainer.config import ModelRecipe
from trainer.conversion import names_of, recipe_of, to_transformers
from trainer.sharding import fill
from trainer.teaching import layout_taught
from trainer.vocabulary import layout_in


def start_recipe(path: Path) -> ModelRecipe:
    """The model in a run's checkpoint or in a model folder. ValueError says why it is none."""
    if (path / "state.json").is_file():
        values = checkpoints.read(path).values
        return ModelRecipe(**values["history"][-1]["recipe"]["model"])
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} is neither a run's checkpoint nor a model folder ({error}): name one of them"
        ) from error
    return recipe_of(config)


@torch.no_grad()
def start_weights(network: nn.Module, recipe: ModelRecipe, path: Path) -> None:
    """Fill the network, whole or sharded; ValueError names what is missing or misshapen."""
    found = start_recipe(path)
    if found != recipe and _sizes(found) != _sizes(recipe):
        raise ValueError(f"the model in {path} has another shape than the recipe's")
    tensors = _tensors(path)
    for name, weight in network.named_parameters():
        if name.endswith("lm_head.weight"):
            continue
        try:
            full = torch.cat([tensors[each] for each in names_of(name)])
        except KeyError as error:
            raise ValueError(f"{path} lacks {error}: it is of another model") from None
        if not bool(torch.isfinite(full).all()):
            raise ValueError(f"{names_of(name)[0]} in {path} holds no numbers (NaN): it is damaged")
        fill(weight, full)


def _sizes(recipe: ModelRecipe) -> tuple[object, ...]:
    return (
        recipe.family, recipe.vocabulary, recipe.hidden, recipe.layers, recipe.heads,
        recipe.head_dim, recipe.intermediate,
    )  # fmt: skip


def _tensors(path: Path) -> dict[str, Tensor]:
    """Weights under transformers' names."""
    if not (path / "state.json").is_file():
        try:
            return dict(read_tensors(read_checkpoint(path)))
        except ModelUnavailable as error:
            raise ValueError(str(error)) from error
    masters, recipe = _masters(path)
    return dict(to_transformers(masters, recipe))


def _masters(path: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    """The float32 weights in a run's checkpoint, under our names."""
    state = checkpoints.read(path)
    recipe = ModelRecipe(**state.values["history"][-1]["recipe"]["model"])
    masters = {
        name.removeprefix("master/"): each
        for name, each in state.tensors.items()
        if name.startswith("master/")
    }
    return masters, recipe


def as_model_folder(path: Path, tokenizer: Path, scratch: Path) -> Path:
    """A start as a folder that can be measured: itself, or its checkpoint exported into `scratch`."""
    if not (path / "state.json").is_file():
        return path
    masters, recipe = _masters(path)
    history = checkpoints.read(path).values["history"]
    checkpoints.export(
        scratch,
        masters,
        recipe,
        tokenizer=tokenizer,
        layout=layout_taught(layout_in(tokenizer), history),
        name=path.name,
        record={"corpus": {}, "training": {}},
    )
    return scratch
