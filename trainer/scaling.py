"""What a run takes of many cards: rows and network for each, checkpoints, and text to feed it."""

from dataclasses import dataclass

from trainer.config import Recipe
from trainer.hardware import Hardware
from trainer.planning import memory, parameters, seconds, tokens_per_step

_GIB, _GB = 2**30, 1e9
_CARDS_A_NODE = 8


@dataclass(frozen=True, slots=True)
class Shares:
    """How the rows of a step are dealt out."""

    rows: int  # of one process
    micro_batches: int  # of one process; each gathers all weights once more when they are sharded
    lanes: int  # that the recipe needs for so many processes


def shares(recipe: Recipe, processes: int) -> Shares:
    """The rows of each process; ValueError when so many processes cannot share a step."""
    rows = recipe.data.rows
    if rows % processes:
        fits = max(each for each in range(1, rows + 1) if rows % each == 0 and each <= processes)
        raise ValueError(
            f"{processes} processes cannot share {rows} rows a step: start {fits}, or raise data.rows"
        )
    mine = rows // processes
    lanes = recipe.data.lanes if recipe.data.lanes % processes == 0 else processes
    return Shares(mine, -(-mine // recipe.run.micro_rows), lanes)


def traffic(recipe: Recipe, processes: int) -> float:
    """Bytes that one card receives in a step when weights are sharded (FSDP2, as we call it).

    Each micro-batch gathers the weights for the forward pass and again for the backward pass, in
    the recipe's dtype, and reduces its gradients in float32; of all that, a process has its own
    part already.
    """
    size = 2.0 if recipe.run.dtype == "bfloat16" else 4.0
    others = 1.0 - 1.0 / processes
    batches = shares(recipe, processes).micro_batches
    return batches * (2 * size + 4.0) * parameters(recipe.model) * others


def checkpoint_bytes(recipe: Recipe) -> float:
    """Float32 masters and optimiser states."""
    return 4.0 * parameters(recipe.model) + memory(recipe).states


def step_seconds(recipe: Recipe, hardware: Hardware, count: int) -> float:
    """Time of one step on `count` cards at the share that the hardware's row assumes."""
    return seconds(recipe, hardware, count) / recipe.run.steps


def source_rate(recipe: Recipe, hardware: Hardware, count: int) -> float:
    """Bytes of source text a second that one node of eight cards must make rows of."""
    tokens = tokens_per_step(recipe) / step_seconds(recipe, hardware, count)
    return tokens * recipe.data.characters_per_token * min(count, _CARDS_A_NODE) / count


def scaling_table(recipe: Recipe, hardware: Hardware, counts: tuple[int, ...]) -> str:
    """A table in Markdown, one line for each number of cards that can share a step."""
    head = (
        "| cards | rows each, in micro-batches | GiB a card: weights, masters and gradients, states, "
        "activations | days | received a card and step | at that a second | source a node |\n"
        "|--:|--:|--:|--:|--:|--:|--:|\n"
    )
    return head + "".join(_line(recipe, hardware, count) for count in counts)


def _line(recipe: Recipe, hardware: Hardware, count: int) -> str:
    try:
        mine = shares(recipe, count)
    except ValueError:
        return f"| {count} | {recipe.data.rows} rows do not go round | | | | | |\n"
    held, took = memory(recipe, count), step_seconds(recipe, hardware, count)
    received = traffic(recipe, count)
    return (
        f"| {count} | {mine.rows} in {mine.micro_batches} | {held.total / _GIB:.1f}: "
        f"{held.weights / _GIB:.1f}, {(held.masters + held.gradients) / _GIB:.1f}, "
        f"{held.states / _GIB:.1f}, {held.activations / _GIB:.1f} | "
        f"{seconds(recipe, hardware, count) / 86_400:,.1f} | {received / _GB:,.0f} GB | "
        f"{received / took / _GB:,.0f} GB/s | {source_rate(recipe, hardware, count) / 1e6:.2f} MB/s |\n"
    )


def describe_shares(recipe: Recipe, processes: int) -> str:
    """What is printed below the plan of a run on several processes."""
    mine = shares(recipe, processes)
    line = (
        f"  shares  {mine.rows} rows a process and step in {mine.micro_batches} micro-batches; a "
        f"checkpoint takes {checkpoint_bytes(recipe) / _GB:,.1f} GB of disk, and of one process's memory"
    )
    if recipe.run.sharding == "full":
        line += f"; a card receives {traffic(recipe, processes) / _GB:,.1f} GB a step"
    if mine.lanes != recipe.data.lanes:
        line += (
            f"\n          {recipe.data.lanes} lanes cannot be dealt out: "
            f"--set data.lanes={mine.lanes}"
        )
    return line
