"""README.md of a release: the model card, generated from records and measurements."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.release.licences import Licence
from trainer.release.markdown import (
    UNKNOWN,
    bullets,
    cell,
    count,
    duration,
    exact,
    front_matter,
    megabytes,
    table,
)
from trainer.release.precision import Loss
from trainer.release.records import CorpusRecord, TrainingRecord, flattened, training_record
from trainer.release.results import is_table, results, weaknesses
from trainer.release.source import Source, loss_curve

_COMMON = 1.0  # per cent of the corpus that a language needs to be a tag


@dataclass(frozen=True, slots=True)
class Stored:
    """One form of the weights in the release."""

    form: str  # "safetensors, bfloat16", "GGUF Q8_0", ...
    path: str  # of its file, or of its folder
    bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured while the release was made."""

    protocol: str
    bits_per_byte: float
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """All that the card is made of."""

    source: Source
    licence: Licence
    licence_is_summary: bool
    parameters: int
    stored: tuple[Stored, ...]
    measured: Measured | None
    not_measured: str  # why, where it was not
    evaluations: Mapping[str, Any]
    corpus: CorpusRecord | None
    contact: str
    weights_hash: str


def model_card(card: Card) -> str:
    training = training_record(card.source)
    parts = [
        front_matter(_header(card)),
        f"# {card.source.name}",
        *_introduction(card),
        *_use(card),
        *_files(card),
        *_intended(card),
        *_limits(card, training),
        "## Evaluation",
        *results(card.evaluations),
        *_training(card, training),
        *_data(card),
        *_licence(card),
        *_records(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(card: Card) -> dict[str, Any]:
    header: dict[str, Any] = {
        "license": card.licence.hub,
        "language": ["code"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["code", "fill-in-the-middle", "code-completion", *_language_tags(card.corpus)],
    }
    if any(each.path.endswith(".gguf") for each in card.stored):
        header["tags"].append("gguf")
    return header


def _language_tags(corpus: CorpusRecord | None) -> list[str]:
    rows = corpus.statistics["languages"] if corpus else []
    return [row["language"] for row in rows if row["percent"] >= _COMMON]


def _introduction(card: Card) -> list[str]:
    config, layout = card.source.config, card.source.layout
    get = config.get
    layers = get("num_hidden_layers", get("n_layer"))
    hidden = get("hidden_size", get("n_embd"))
    heads = get("num_attention_heads", get("n_head"))
    kv_heads = get("num_key_value_heads", 1 if get("multi_query") else heads)
    positions = get("max_position_embeddings", get("n_positions"))
    orders = [name for name, order in (("PSM", layout.psm), ("SPM", layout.spm)) if order]
    rows = [
        f"architecture: {card.source.architecture}, {layers} layers of width {hidden}, "
        f"{heads} heads, {kv_heads} key/value head{'' if kv_heads == 1 else 's'}",
        f"parameters: {card.parameters:,}",
        f"context: {cell(positions)} tokens; vocabulary: {cell(get('vocab_size'))} byte-level tokens",
        f"fill-in-the-middle: {' and '.join(orders)}, with the tokens `{layout.prefix}`, "
        f"`{layout.suffix}`, `{layout.middle}`, ended by `{layout.end}`",
    ]
    return [
        f"A model of {count(card.parameters)} parameters that fills gaps in source code: it is "
        "given what stands before and after the cursor and writes what goes between.",
        bullets(rows),
    ]


def _use(card: Card) -> list[str]:
    layout = card.source.layout
    pieces = layout.psm or layout.spm
    spelled = {"<prefix>": layout.prefix, "<suffix>": layout.suffix, "<middle>": layout.middle}
    texts = {"P": "{before}", "S": "{after}"}
    prompt = "".join(spelled.get(each) or texts[each] for each in pieces)
    parts = ["## Use"]
    if card.source.architecture == "LlamaForCausalLM":
        parts.append(
            "With Footnote, which runs on a CPU and says where near-verbatim text comes from:\n\n"
            "```sh\nfootnote complete FILE --line L --column C --model FOLDER\n```"
        )
    parts.append(
        "With transformers; no code from this folder is run:\n\n```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER)\n"
        "model = AutoModelForCausalLM.from_pretrained(FOLDER)\n"
        'before, after = "def area(radius):\\n    return ", "\\n"\n'
        f"prompt = tokenizer(f{json.dumps(prompt)}, add_special_tokens=False, "
        'return_tensors="pt").input_ids\n'
        "out = model.generate(prompt, max_new_tokens=32, do_sample=False)\n"
        "print(tokenizer.decode(out[0, prompt.shape[1]:], skip_special_tokens=True))\n```"
    )
    gguf = [each.path for each in card.stored if each.path.endswith(".gguf")]
    if gguf:
        parts.append(
            f"With llama.cpp: `llama-server -m {gguf[0]}`. Its `/infill` makes the PSM prompt from "
            "the tokens that the file names. Its option `--spm-infill` makes another order than "
            "this model's SPM: for that, send a prompt of your own to `/completion`, or run the file "
            f"with Footnote (`--model {gguf[0]}`), which reads the order from it."
        )
    return parts


def _files(card: Card) -> list[str]:
    losses = {each.form: each for each in card.measured.losses} if card.measured else {}
    rows = []
    for each in card.stored:
        loss = losses.get(each.form)
        rows.append(
            {
                "form": each.form,
                "path": f"`{each.path}`",
                "size": megabytes(each.bytes),
                "bits": f"{loss.bits_per_byte:.4f}" if loss else None,
                "change": f"{loss.change_percent:+.3f}%" if loss else None,
                "largest": f"{loss.logit_error_max:.3f}" if loss else None,
                "mean": f"{loss.logit_error_mean:.4f}" if loss else None,
                "top": f"{loss.top1_agreement:.2%}" if loss else None,
            }
        )
    if not card.measured:
        columns = {"form": "form", "path": "where", "size": "size"}
        return [
            "## Files",
            table(rows, columns),
            f"Loss of precision: not measured, {card.not_measured}.",
        ]
    rows[0]["bits"] = f"{card.measured.bits_per_byte:.4f}"
    columns = {
        "form": "form",
        "path": "where",
        "size": "size",
        "bits": "bits per byte",
        "change": "change",
        "largest": "largest logit error",
        "mean": "mean logit error",
        "top": "same likeliest token",
    }
    return [
        "## Files",
        table(rows, columns),
        f"Measured on {card.measured.protocol}. llama.cpp also rounds activations where it "
        "multiplies by Q8_0, which is not in these figures. They compare the forms with one another; for how good "
        "the model is, see Evaluation. SHA256SUMS has the hash of every file; "
        "`footnote release --verify FOLDER` checks them.",
    ]


def _intended(card: Card) -> list[str]:
    return [
        "## Intended use",
        "Completion of source code at the cursor, in an editor, in front of a person who reads what "
        "is suggested before keeping it; research on such models.",
        "Not intended: code that is run without being read; instructions, questions or chat, since "
        "it only continues and fills in text; judging people; natural language as such; anything where "
        "a wrong line of code does harm that nobody checks."
        + (
            " The licence rules out further uses; see Licence."
            if card.licence.key == "openrail-m"
            else ""
        ),
    ]


def _limits(card: Card, training: TrainingRecord) -> list[str]:
    found = list(weaknesses(card.evaluations))
    if not card.evaluations:
        found.append("No evaluation came with this release: how good it is, is not known from it.")
    if training.tokens and card.parameters:
        found.append(
            f"It has seen {training.tokens / card.parameters:.1f} tokens per parameter in training; "
            "about 20 are usual where compute is spent best (Hoffmann et al. 2022, arXiv "
            "2203.15556), and more make a small model better still."
        )
    if card.corpus:
        languages = ", ".join(_language_tags(card.corpus))
        found.append(f"It has seen these languages in more than traces: {languages}.")
    return [
        "## Limits",
        bullets(
            [
                *found,
                "It writes code that looks right and is wrong, insecure, or calls what does not "
                "exist. Nothing in this folder prevents that.",
                "It can repeat its training data at length, with the licence of the original. "
                "`footnote check` finds such passages where the corpus is installed.",
                "It can repeat personal information that is left in its training data.",
            ]
        ),
    ]


def _training(card: Card, training: TrainingRecord) -> list[str]:
    others = {
        key: each
        for key, each in flattened(training.others).items()
        if each != "" and each is not None and not is_table(each)
    }
    hardware = [f"{key}: {cell(each)}" for key, each in others.items() if _is_hardware(key)]
    rest = [
        f"{key.replace('_', ' ')}: {cell(each)}"
        for key, each in others.items()
        if not _is_hardware(key)
    ]
    rows = [
        f"tokens: {count(training.tokens)}; steps: {cell(training.steps) if training.steps is not None else UNKNOWN}",
        f"time of training: {duration(training.seconds)}",
        *(hardware or [f"hardware: {UNKNOWN}; energy: {UNKNOWN}"]),
        "final training loss: "
        + (f"{training.final_loss:.3f} nats per token" if training.final_loss else UNKNOWN),
        *rest,
    ]
    parts = ["## Training", bullets(rows)]
    if any(each.name == "loss.png" for each in loss_curve(card.source.folder)):
        parts.append("![training loss](loss.png)")
    return [*parts, *_recipes(training.history)]


def _is_hardware(key: str) -> bool:
    return "hardware" in key or "device" in key


def _recipes(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The first recipe as a table, and of every later one what changed."""
    before: dict[str, Any] = {}
    for entry in history:
        values = flattened(entry.get("recipe", {}))
        changed = {key: value for key, value in values.items() if before.get(key) != value}
        name = values.get("name", "")
        if not before:
            settings = [{"setting": key, "value": exact(each)} for key, each in values.items()]
            title = f"Recipe {name!r}, from step {cell(entry.get('from_step', 0))}"
            yield f"<details><summary>{title}</summary>\n\n{table(settings)}\n\n</details>"
        elif changed:
            yield f"Changed at step {cell(entry.get('from_step'))}:"
            yield bullets(
                [
                    f"{key}: {exact(before.get(key))} to {exact(each)}"
                    for key, each in changed.items()
                ]
            )
        before = values


def _data(card: Card) -> list[str]:
    if card.corpus is None:
        return ["## Data", "See DATA_CARD.md, which says what is known of the training data."]
    manifest, licences = card.corpus.manifest, card.corpus.statistics["licenses"]
    main = ", ".join(row["license"] for row in licences[:4])
    return [
        "## Data",
        f"{manifest.documents:,} files, {megabytes(manifest.bytes)}, from published packages, mostly "
        f"under {main}; deduplicated, kept apart from evaluation, e-mail and IP addresses and keys "
        "replaced. DATA_CARD.md has the counts, filters, and how to opt out; SOURCES.csv every "
        "package.",
    ]


def _licence(card: Card) -> list[str]:
    parts = [
        "## Licence",
        f"[{card.licence.title}]({card.licence.url}). {card.licence.rights} What it asks:",
        bullets(card.licence.duties),
    ]
    if card.licence_is_summary:
        parts.append(
            "The file LICENSE is a summary in other words. **The full text of the licence must be "
            "added from its publisher before this folder is passed on.**"
        )
    parts.append(
        "The licence is for the weights. It cannot settle what licence a passage has that the model "
        "repeats from its training data."
    )
    return parts


def _records(card: Card) -> list[str]:
    corpus = dict(card.source.about.get("corpus", {}))
    rows = [
        f"weights this release was made from: `{card.weights_hash}` (over the hashes of their files)",
        f"tokenizer.json: `{card.source.about.get('tokenizer_hash') or UNKNOWN}`",
        f"corpus: `{corpus.get('hash') or UNKNOWN}`",
    ]
    contact = f"Questions: {card.contact}." if card.contact else ""
    return [
        "## Records",
        "This card was written by `footnote release` from the records of the training, the corpus "
        "and the evaluation; what it does not know it says.",
        bullets(rows),
        contact,
    ]


def measured_json(measured: Measured | None) -> dict[str, Any]:
    """For footnote.json."""
    if measured is None:
        return {}
    return {
        "protocol": measured.protocol,
        "bits_per_byte": round(measured.bits_per_byte, 5),
        "forms": [asdict(each) for each in measured.losses],
    }
