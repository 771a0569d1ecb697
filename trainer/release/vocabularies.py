"""A byte-level BPE as llama.cpp wants it described; one that llama.cpp would read differently is refused.

llama.cpp knows splits by a name, not by their regular expression: only those that are known to
be one and the same here and there may be written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.release.source import ReleaseError, Source

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SUPPORTED = "Qwen2's split, GPT-2's, and StarCoder's (single digits, then GPT-2's)"
# The roles that llama.cpp's infill needs besides the layout's own, by the spellings in use.
_ROLES = {
    "pad": ("<fim_pad>", "<|fim_pad|>"),
    "rep": ("<reponame>", "<repo_name>", "<|repo_name|>"),
    "sep": ("<|file_sep|>", "<file_sep>"),
}
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # gguf.TokenType


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    split: str  # llama.cpp's name of the pre-tokenizer
    begin: int | None  # put before every text, or None
    end: int
    pad: int | None
    roles: Mapping[str, int]  # "pre", "suf", "mid", "pad", "rep", "sep" -> id


def gguf_vocabulary(source: Source) -> GgufVocabulary:
    """Describe the tokenizer of a checkpoint; ReleaseError says what llama.cpp lacks for it."""
    raw = source.tokenizer_json
    model = raw.get("model") or {}
    _check_model(model)
    _check_normalizer(raw.get("normalizer"))
    tokens, types = _tokens(source, model)
    layout, find = source.layout, source.tokenizer.id_of
    roles = {"pre": layout.prefix, "suf": layout.suffix, "mid": layout.middle}
    ids = {role: find(token) for role, token in roles.items()}
    told = {"rep": layout.repo_name, "sep": layout.file_sep}
    for role, known in _ROLES.items():
        spellings = (told[role], *known) if told.get(role) else known
        ids[role] = next((found for each in spellings if (found := find(each)) is not None), None)
    end = find(layout.end)
    assert end is not None, "read_source has looked it up"
    return GgufVocabulary(
        tokens=tuple(tokens),
        types=tuple(types),
        merges=tuple(each if isinstance(each, str) else " ".join(each) for each in model["merges"]),
        split=split_name(raw.get("pre_tokenizer")),
        begin=_begin(source),
        end=end,
        pad=ids["pad"],
        roles={role: found for role, found in ids.items() if found is not None},
    )


def split_name(pre_tokenizer: Any) -> str:
    """llama.cpp's name of a pre-tokenizer of tokenizer.json; ReleaseError when it has none."""
    parts = [pre_tokenizer] if isinstance(pre_tokenizer, dict) else []
    if parts and parts[0].get("type") == "Sequence":
        parts = list(parts[0].get("pretokenizers") or [])
    if [part.get("type") for part in parts][-1:] == ["ByteLevel"]:
        last, before = parts[-1], parts[:-1]
        kinds = [part.get("type") for part in before]
        regex = bool(last.get("use_regex", True))
        if not last.get("add_prefix_space"):
            if regex and not kinds:
                return "gpt-2"
            if regex and kinds == ["Digits"] and before[0].get("individual_digits"):
                return "starcoder"
            if not regex and kinds == ["Split"] and _is_qwen2(before[0]):
                return "qwen2"
    raise ReleaseError(
        "llama.cpp has no name for the way this tokenizer splits text; known here are "
        f"{SUPPORTED}: leave --gguf out, or train with such a tokenizer"
    )


def _is_qwen2(part: Mapping[str, Any]) -> bool:
    pattern = part.get("pattern") or {}
    return (
        pattern.get("Regex") == _QWEN2
        and part.get("behavior") == "Isolated"
        and not part.get("invert")
    )


def _check_model(model: Mapping[str, Any]) -> None:
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        kind = "a SentencePiece BPE" if model.get("type") == "BPE" else repr(model.get("type"))
        raise ReleaseError(
            f"the tokenizer is {kind}, a GGUF file is written for byte-level BPE only: "
            "leave --gguf out"
        )
    for setting in ("continuing_subword_prefix", "end_of_word_suffix", "ignore_merges", "dropout"):
        if model.get(setting):
            raise ReleaseError(
                f"the tokenizer sets {setting}, which llama.cpp does not do: leave --gguf out"
            )


def _check_normalizer(normalizer: Any) -> None:
    """NFC is let through: Qwen2 has it, and llama.cpp leaves it out for everybody."""
    parts = [normalizer] if normalizer else []
    if parts and parts[0].get("type") == "Sequence":
        parts = list(parts[0].get("normalizers") or [])
    strange = [part.get("type") for part in parts if part.get("type") != "NFC"]
    if strange:
        raise ReleaseError(
            f"the tokenizer changes texts first ({strange[0]}), llama.cpp would not: leave --gguf out"
        )


def _tokens(source: Source, model: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    size = int(source.config["vocab_size"])
    vocabulary = {int(at): str(token) for token, at in model["vocab"].items()}
    added = {int(each["id"]): each for each in source.tokenizer_json.get("added_tokens") or ()}
    largest = max([*vocabulary, *added], default=-1)
    if largest >= size:
        raise ReleaseError(
            f"the tokenizer has {largest + 1:,} tokens, the model {size:,}: "
            "they are of different checkpoints"
        )
    tokens, types = [], []
    for at in range(size):
        if at in added:
            entry = added[at]
            if entry.get("lstrip") or entry.get("rstrip") or entry.get("single_word"):
                raise ReleaseError(
                    f"the token {entry['content']!r} takes blanks around it away, llama.cpp "
                    "would not: leave --gguf out"
                )
            tokens.append(str(entry["content"]))
            types.append(CONTROL if entry.get("special") else USER_DEFINED)
        elif at in vocabulary:
            tokens.append(vocabulary[at])
            types.append(NORMAL)
        else:  # rows of the embedding that no text reaches
            tokens.append(f"[UNUSED{at}]")
            types.append(UNUSED)
    return tokens, types


def _begin(source: Source) -> int | None:
    from tokenizers import Tokenizer

    whole = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    framed: list[int] = whole.encode("x", add_special_tokens=True).ids
    bare: list[int] = whole.encode("x", add_special_tokens=False).ids
    if framed == bare:
        return None
    if framed[1:] == bare:
        return framed[0]
    raise ReleaseError(
        "the tokenizer puts more than one token around every text, llama.cpp could not: "
        "leave --gguf out"
    )
