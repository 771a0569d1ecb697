"""What a recipe will take, before it starts: parameters, FLOPs, memory a process, days."""

from dataclasses import dataclass

from trainer.config import ModelRecipe, Recipe
from trainer.hardware import HARDWARE, Hardware

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in one process. All but activations follow from the recipe; those are an estimate."""

    weights: float
    masters: float
    states: float
    gradients: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.masters + self.states + self.gradients + self.activations


def parameters(model: ModelRecipe) -> int:
    """All weights, the tied head once."""
    return embedding_parameters(model) + model.layers * _block(model) + _last_norm(model)


def embedding_parameters(model: ModelRecipe) -> int:
    positions = model.positions * model.hidden if model.family == "gpt_bigcode" else 0
    return model.vocabulary * model.hidden + positions


def adapter_parameters(model: ModelRecipe, rank: int) -> int:
    """Weights of low-rank adapters beside every product of the blocks."""
    wide, inner = model.heads * model.head_dim, model.intermediate
    gated = 2 if model.family == "llama" else 1
    sides = (
        model.hidden + wide + 2 * model.head_dim,
        wide + model.hidden,
        model.hidden + gated * inner,
        inner + model.hidden,
    )
    return model.layers * rank * sum(sides)


def _block(model: ModelRecipe) -> int:
    hidden, wide, dim, inner = (
        model.hidden, model.heads * model.head_dim, model.head_dim, model.intermediate,
    )  # fmt: skip
    if model.family == "gpt_bigcode":
        attention = (hidden + 1) * (wide + 2 * dim) + (wide + 1) * hidden
        return attention + (hidden + 1) * inner + (inner + 1) * hidden + 4 * hidden
    return hidden * (wide + 2 * dim) + wide * hidden + 3 * hidden * inner + 2 * hidden


def _last_norm(model: ModelRecipe) -> int:
    return 2 * model.hidden if model.family == "gpt_bigcode" else model.hidden


def flops_per_token(model: ModelRecipe, context: int) -> float:
    """Forward and backward of one token: six a weight that multiplies, and causal attention.

    Six per weight of the blocks and the head (Kaplan et al. 2020, arXiv 2001.08361); attention
    adds 6 x layers x width x context, half of the full square. What `recompute` does again is not
    counted, nor are norms: it is the model's work, not the machine's.
    """
    weights = model.layers * _block(model) + model.vocabulary * model.hidden
    return 6.0 * weights + 6.0 * model.layers * model.heads * model.head_dim * context


def tokens_per_step(recipe: Recipe) -> int:
    return recipe.data.rows * recipe.data.context


def memory(recipe: Recipe, processes: int = 1) -> Memory:
    """Bytes in one of `processes`; sharded, each holds its share of all but activations."""
    model, run, count = recipe.model, recipe.run, parameters(recipe.model)
    matrices = model.layers * _block(model)
    muon = recipe.optim.kind == "muon"
    states = 4.0 * matrices + 8.0 * (count - matrices) if muon else 8.0 * count
    share = processes if run.sharding == "full" else 1
    low = run.dtype == "bfloat16"
    whole = 2.0 if low else 4.0
    if share > 1:
        # The shards are the float32 masters; the largest block exists whole while it works.
        gathered = whole * (_block(model) * 2 + embedding_parameters(model))
        return Memory(
            gathered, 4.0 * count / share, states / share, 4.0 * count / share, _kept(recipe)
        )
    masters, gradients = (4.0, 6.0) if low else (0.0, 4.0)
    return Memory(whole * count, masters * count, states, gradients * count, _kept(recipe))


def _kept(recipe: Recipe) -> float:
    """What the backward pass needs of a micro-batch, and the head's buffers."""
    model, run = recipe.model, recipe.run
    size = 2.0 if run.dtype == "bfloat16" else 4.0
    tokens = run.micro_rows * recipe.data.context
    inside = model.heads * model.head_dim
    gated = 3 if model.family == "llama" else 2
    block = 5 * model.hidden + 3 * inside + gated * model.intermediate
    kept = model.hidden if run.recompute else block
    head = run.head_chunk * model.vocabulary * (size + 4) + 4.0 * model.vocabulary * model.hidden
    return size * tokens * (model.layers * kept + (block if run.recompute else 0)) + head


def seconds(recipe: Recipe, hardware: Hardware, count: int) -> float:
    """Time for the recipe's steps on `count` of such a card at the share that its row assumes."""
    work = recipe.run.steps * tokens_per_step(recipe) * flops_per_token(
        recipe.model, recipe.data.context
    )  # fmt: skip
    return work / (hardware.flops * hardware.share * count)


def cards_needed(recipe: Recipe, hardware: Hardware) -> int:
    """The smallest power of two of such cards that hold the run, counting a tenth of each as lost."""
    count = 1
    while count < 4096 and memory(recipe, count).total > 0.9 * hardware.memory:
        if recipe.run.sharding != "full":
            return 0
        count *= 2
    return count if count < 4096 else 0


def describe(recipe: Recipe, processes: int = 1) -> str:
    """The page that is printed before a run starts."""
    model, count = recipe.model, parameters(recipe.model)
    work = flops_per_token(model, recipe.data.context)
    held = memory(recipe, processes)
    steps = recipe.run.steps
    per_step = tokens_per_step(recipe)
    tokens = f"{_short(steps * per_step)} tokens in {steps:,} steps" if steps else (
        f"as many steps as {recipe.run.time_budget_s / 60:.0f} minutes hold"
        if recipe.run.time_budget_s else "until the budget given on the command line is used up"
    )  # fmt: skip
    lines = [
        f"recipe {recipe.name}: {model.family}, {_short(count)} parameters "
        f"({_short(count - embedding_parameters(model))} in blocks), {model.layers} layers of "
        f"{model.hidden}, {model.heads} query heads on one key/value head, "
        f"vocabulary {model.vocabulary:,}",
        f"  data    {tokens}; {_short(per_step)} tokens a step in rows of {recipe.data.context:,}",
        f"  moved   by {_mover(recipe)}",
        f"  work    {_short(work)}FLOP a token"
        + (f", {steps * per_step * work:.2g} FLOP in all" if steps else ""),
        f"  memory  {held.total / _GIB:.1f} GiB a process of {processes}: weights "
        f"{held.weights / _GIB:.1f}, masters {held.masters / _GIB:.1f}, states "
        f"{held.states / _GIB:.1f}, gradients {held.gradients / _GIB:.1f}, activations "
        f"{held.activations / _GIB:.1f} (estimate)",
    ]
    if steps:
        lines += [_on(recipe, each, processes) for each in HARDWARE]
    return "\n".join(lines)


def _mover(recipe: Recipe) -> str:
    optim = recipe.optim
    blocks = (
        f"Muon, rate {optim.matrix_lr:g}, and AdamW"
        if optim.kind == "muon"
        else f"AdamW, rate {optim.adamw_lr:g}"
    )
    return f"{blocks}; schedule {optim.schedule} to {optim.floor:g} of the rate"


def _on(recipe: Recipe, hardware: Hardware, processes: int) -> str:
    need = cards_needed(recipe, hardware)
    if not need:
        sharded = recipe.run.sharding == "full"
        remedy = "run.micro_rows" if sharded else "run.micro_rows, or set run.sharding = full"
        return f"  {hardware.name:<10} does not hold it: lower {remedy}, or set run.recompute"
    count = max(need, processes)
    took = seconds(recipe, hardware, count)
    return (
        f"  {hardware.name:<10} {_period(took)} on {count} (the fewest that hold it: {need}) "
        f"at {hardware.share:.0%} of the peak, {took * count / 86_400:,.1f} card days"
    )


def _period(seconds: float) -> str:
    for unit, size in (("days", 86_400.0), ("hours", 3600.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.1f} seconds"


def _short(number: float) -> str:
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g} "
