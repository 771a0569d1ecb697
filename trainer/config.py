"""Every number of a run, frozen, from one TOML file."""

import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

# Keys of [run] that say how fast a result comes or how far a run goes, not what is learned.
_CHANGEABLE = (
    "steps",
    "time_budget_s",
    "checkpoint_every_s",
    "keep",
    "threads",
    "micro_rows",
    "head_chunk",
    "compile",
    "recompute",
    "attention",
    "sharding",
)
RECIPES = Path(__file__).parent / "recipes"


class RecipeError(Exception):
    """A recipe cannot be used; the message says which line to change."""


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """A Llama with one key/value head (multi-query attention, as StarCoder's), or GPTBigCode."""

    family: str = "llama"  # or "gpt_bigcode", StarCoder's own class
    vocabulary: int = 16384
    hidden: int = 384
    layers: int = 6
    heads: int = 3
    head_dim: int = 128
    intermediate: int = 1024
    positions: int = 8192
    rope_theta: float = 100000.0  # llama only; gpt_bigcode learns its positions
    norm_eps: float = 1e-5
    init_std: float = 0.02
    dropout: float = 0.0  # gpt_bigcode only: of attention, residuals and embeddings


@dataclass(frozen=True, slots=True)
class SpanRecipe:
    """How documents become fill-in-the-middle examples; shares are relative weights."""

    fim_rate: float = 0.75  # the rest is plain left-to-right
    spm_rate: float = 0.65  # of the fill-in-the-middle examples; the engine serves this order
    path_rate: float = 0.6  # `<filename>path` first
    package_rate: float = 0.2  # `<reponame>package` before it, as StarCoder's; stars are not known
    repository_rate: float = 0.0  # of files: other files of the package first
    single_line: float = 0.5
    block: float = 0.15
    node: float = 0.2
    random: float = 0.15
    closer_rate: float = 0.15  # of single lines: stop before closing brackets already there
    max_middle: int = 1600  # characters


@dataclass(frozen=True, slots=True)
class DataRecipe:
    context: int = 1024  # tokens per row
    rows: int = 16  # rows per optimiser step, over all processes
    lanes: int = 4  # streams of blocks that a step takes equally from; processes share them
    documents_per_block: int = 128  # documents that are packed together
    pieces_per_document: int = 0  # of a long file in one epoch; 0: all of them
    languages: tuple[str, ...] = ()  # only these; empty: all that the corpus has
    weights: dict[str, float] = field(default_factory=dict)  # visits per epoch; 1 if not named
    seed: int = 1
    characters_per_token: float = 3.6  # only sizes the pieces of long files
    workers: int = 1  # of each process; 0: rows are made between the steps


@dataclass(frozen=True, slots=True)
class OptimRecipe:
    kind: str = "muon"  # Muon for the matrices of the blocks and AdamW for the rest; or "adamw"
    matrix_lr: float = 0.02  # Muon
    matrix_momentum: float = 0.95
    matrix_decay: float = 0.05
    adamw_lr: float = 0.002  # of the matrices when AdamW moves them
    adamw_decay: float = 0.1
    embedding_lr: float = 0.003  # AdamW
    embedding_decay: float = 0.0
    norm_lr: float = 0.003  # AdamW: norms and biases, which never decay
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-10
    clip: float = 0.0  # 0: no gradient clipping
    schedule: str = "wsd"  # warm-up, stable, linear decay; or "cosine", as StarCoder's
    warmup_steps: int = 60
    stable: float = 0.45  # of the budget at the full rate, then linear to `floor`
    floor: float = 0.02


@dataclass(frozen=True, slots=True)
class LongRecipe:
    """A last stage of longer rows, inside the decay; what is 0 is as before."""

    share: float = 0.0  # of the budget; 0: there is no such stage
    context: int = 8192
    rows: int = 0
    micro_rows: int = 1
    repository_rate: float = 0.5  # in place of spans.repository_rate: here is room for other files


@dataclass(frozen=True, slots=True)
class RunRecipe:
    steps: int = 0  # 0: the time budget alone ends the run
    time_budget_s: float = 0.0
    checkpoint_every_s: float = 240.0
    keep: int = 2
    dtype: str = "bfloat16"  # of weights and activations; masters are float32
    micro_rows: int = 8  # rows per forward pass of one process
    head_chunk: int = 512  # positions whose logits exist at once
    compile: bool = False
    recompute: bool = (
        False  # activations again in the backward pass: less memory, a third more work
    )
    # flash-attn on CUDA where installed, products on a CPU; or "sdpa", or its kernel "cudnn"
    attention: str = "auto"
    sharding: str = "none"  # "full": weights, gradients and states over all processes (FSDP2)
    threads: int = 0  # 0: torch decides


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    model: ModelRecipe = field(default_factory=ModelRecipe)
    spans: SpanRecipe = field(default_factory=SpanRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    long: LongRecipe = field(default_factory=LongRecipe)
    optim: OptimRecipe = field(default_factory=OptimRecipe)
    run: RunRecipe = field(default_factory=RunRecipe)

    @property
    def hash(self) -> str:
        """SHA-256 over all that decides the result of a step."""
        values = dataclasses.asdict(self)
        for name in _CHANGEABLE:
            del values["run"][name]
        del values["data"]["workers"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def load_recipe(name_or_path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe of ours by name, or any TOML file by path; RecipeError when it cannot be used.

    Each change is a line as in the file, with its table in front: `optim.kind="adamw"`.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
        raise RecipeError(f"no recipe {name_or_path}: use one of {known} or a file.toml") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    for change in changes:
        _apply(values, change)
    recipe = _build(Recipe, {"name": path.stem, **values}, path.name)
    _check(recipe, path.name)
    return recipe


def with_model(recipe: Recipe, model: ModelRecipe) -> Recipe:
    """The recipe for a model that is there already; rows no longer than it takes."""
    context = min(recipe.data.context, model.positions)
    whole = replace(
        recipe,
        model=model,
        data=replace(recipe.data, context=context),
        spans=replace(recipe.spans, max_middle=min(recipe.spans.max_middle, 2 * context)),
    )
    _check(whole, recipe.name)
    return whole


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, value = change.partition("=")
    table, dot, key = name.strip().partition(".")
    if not equals or not dot:
        raise RecipeError(f"{change!r} is no change: write table.key=value, as run.steps=100")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()  # a word needs no quotes on a command line
    values.setdefault(table, {})[key] = parsed


T = TypeVar("T")


def _build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Make the dataclass, refusing names and types that it does not have."""
    hints = get_type_hints(kind)
    out: dict[str, Any] = {}
    for name, value in values.items():
        if name not in hints:
            raise RecipeError(f"{where}: unknown key {name!r}; known: {', '.join(hints)}")
        wanted = hints[name]
        if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
            if not isinstance(value, dict):
                raise RecipeError(f"{where}: {name} must be a table")
            out[name] = _build(wanted, value, f"{where} [{name}]")
        else:
            out[name] = _value(wanted, value, f"{where}: {name}")
    return kind(**out)


def _value(wanted: object, value: object, where: str) -> object:
    if wanted == tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise RecipeError(f"{where} must be a list of names, not {value!r}")
        return tuple(value)
    if wanted == dict[str, float]:
        if not isinstance(value, dict):
            raise RecipeError(f"{where} must be a table of numbers, not {value!r}")
        return {name: _value(float, each, f"{where}.{name}") for name, each in value.items()}
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not wanted:
        name = getattr(wanted, "__name__", wanted)
        raise RecipeError(f"{where} must be {name}, not {value!r}")
    return value


def _check_data(data: DataRecipe, where: str) -> None:
    for name in ("context", "rows", "lanes", "documents_per_block", "characters_per_token"):
        if not 0 < getattr(data, name) < math.inf:
            raise RecipeError(f"{where}: data.{name} must be more than 0")
    for name in ("pieces_per_document", "workers"):
        if getattr(data, name) < 0:
            raise RecipeError(f"{where}: data.{name} must be 0 or more")
    if data.rows % data.lanes:
        raise RecipeError(f"{where}: data.rows must be a multiple of data.lanes ({data.lanes})")
    for language, weight in data.weights.items():
        if not 0 <= weight < math.inf:
            raise RecipeError(f"{where}: data.weights.{language} must be 0 or more, not {weight}")


def _check(recipe: Recipe, where: str) -> None:
    """Refuse what cannot be trained, naming the line to change."""
    _check_data(recipe.data, where)
    model, data, long, optim, run = (
        recipe.model, recipe.data, recipe.long, recipe.optim, recipe.run,
    )  # fmt: skip
    choices = (
        ("model.family", model.family, ("llama", "gpt_bigcode")),
        ("optim.kind", optim.kind, ("muon", "adamw")),
        ("optim.schedule", optim.schedule, ("wsd", "cosine")),
        ("run.dtype", run.dtype, ("bfloat16", "float32")),
        ("run.attention", run.attention, ("auto", "sdpa", "flash", "cudnn")),
        ("run.sharding", run.sharding, ("none", "full")),
    )
    for name, value, known in choices:
        if value not in known:
            raise RecipeError(f"{where}: {name} must be one of {', '.join(known)}, not {value!r}")
    for name, size in {**_integers(model, "model"), "run.micro_rows": run.micro_rows}.items():
        if size < 1:
            raise RecipeError(f"{where}: {name} must be 1 or more, not {size}")
    problems = (
        (data.rows % run.micro_rows != 0, "data.rows must be a multiple of run.micro_rows"),
        (data.context > model.positions, "data.context exceeds model.positions"),
        (model.head_dim % 2 != 0, "model.head_dim must be even: rotary positions turn pairs"),
        (
            model.family == "gpt_bigcode" and model.heads * model.head_dim != model.hidden,
            "gpt_bigcode wants model.heads x model.head_dim = model.hidden",
        ),
        (model.family == "llama" and model.dropout > 0, "model.dropout is for gpt_bigcode"),
        (not 0 <= optim.stable <= 1, "optim.stable is a share of the budget: 0 to 1"),
        (not 0 <= long.share < 1, "long.share is a share of the budget: 0 up to 1"),
        (long.share > 0 and long.context > model.positions, "long.context exceeds model.positions"),
        (
            long.share > 0 and (long.rows < 1 or long.rows % long.micro_rows != 0),
            "long.rows must be a multiple of long.micro_rows",
        ),
        (
            long.share > 0 and long.rows % data.lanes != 0,
            "long.rows must be a multiple of data.lanes",
        ),
        (
            recipe.spans.max_middle > 2 * data.context,
            "spans.max_middle must leave room: at most 2 x data.context",
        ),
    )
    for wrong, message in problems:
        if wrong:
            raise RecipeError(f"{where}: {message}")


def _integers(table: Any, name: str) -> dict[str, int]:
    return {f"{name}.{k}": v for k, v in dataclasses.asdict(table).items() if type(v) is int}
