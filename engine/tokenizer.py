"""Text to token ids and back; what looks like a special token in a text is only text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from engine.api import ModelUnavailable
from engine.layouts import SENTINELS, Sentinels

_INCOMPLETE = "\ufffd"  # what a decoder shows for bytes that are no whole character yet


class Vocabulary(Protocol):
    """What completing needs of a vocabulary, wherever it comes from; see Tokenizer for the rest."""

    @property
    def special_ids(self) -> frozenset[int]: ...

    @property
    def special_texts(self) -> tuple[str, ...]: ...

    @property
    def opening(self) -> list[int]: ...

    @property
    def is_local(self) -> bool: ...

    @property
    def sentinels(self) -> Sentinels | None:
        """The spellings that it names itself, beyond having the tokens."""
        ...

    @property
    def size(self) -> int: ...

    def id_of(self, token: str) -> int | None: ...

    def encode(self, text: str) -> list[int]: ...

    def encode_with_starts(self, text: str) -> tuple[list[int], list[int]]: ...

    def encode_words(self, text: str) -> tuple[list[int], list[int], list[int | None]]: ...

    def decode(self, ids: Sequence[int]) -> str: ...

    def pieces(self) -> list[str]: ...

    def split(self, text: str) -> list[str]: ...


class Tokenizer:
    """A byte-level BPE vocabulary. Any text can be encoded, lone surrogates included."""

    sentinels: Sentinels | None = None

    def __init__(self, vocabulary: Any) -> None:
        """Wrap a `tokenizers.Tokenizer`."""
        # A document that spells a sentinel must not become one.
        vocabulary.encode_special_tokens = True
        self._vocabulary = vocabulary
        added = vocabulary.get_added_tokens_decoder()
        self.special_ids = frozenset(each for each, token in added.items() if token.special)
        self.special_texts = tuple(added[each].content for each in sorted(self.special_ids))
        # What the model expects in front of every text, such as a begin token; none for ours.
        self.opening: list[int] = vocabulary.encode("", add_special_tokens=True).ids[:1]
        self.is_local = _is_local(vocabulary)

    @property
    def size(self) -> int:
        """Number of tokens, special ones included."""
        return int(self._vocabulary.get_vocab_size(with_added_tokens=True))

    def id_of(self, token: str) -> int | None:
        """The id of one token by its spelling, or None."""
        found: int | None = self._vocabulary.token_to_id(token)
        return found

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._vocabulary.encode(clean(text), add_special_tokens=False).ids
        return ids

    def encode_with_starts(self, text: str) -> tuple[list[int], list[int]]:
        """Token ids, and for each the index of its first character in `text`."""
        encoding = self._vocabulary.encode(clean(text), add_special_tokens=False)
        return encoding.ids, [start for start, _ in encoding.offsets]

    def encode_words(self, text: str) -> tuple[list[int], list[int], list[int | None]]:
        """The same, and for each token the number of the word that it is part of."""
        encoding = self._vocabulary.encode(clean(text), add_special_tokens=False)
        return encoding.ids, [start for start, _ in encoding.offsets], encoding.word_ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens, without the special ones."""
        text: str = self._vocabulary.decode(list(ids), skip_special_tokens=True)
        return text

    def pieces(self) -> list[str]:
        """The text of every token by itself; halves of characters show as U+FFFD."""
        ids = [[each] for each in range(self.size)]
        pieces: list[str] = self._vocabulary.decode_batch(ids, skip_special_tokens=True)
        return pieces

    def split(self, text: str) -> list[str]:
        """The stretches of a text that tokens never cross, such as words with their blank."""
        if self._vocabulary.pre_tokenizer is None:
            return [text]
        pieces = self._vocabulary.pre_tokenizer.pre_tokenize_str(clean(text))
        return [clean(text)[start:end] for _, (start, end) in pieces]


class TextStream:
    """Turns tokens into text as they come; never shows half a character."""

    def __init__(self, tokenizer: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self._pending: list[int] = []
        self.text = ""

    def push(self, token: int) -> str:
        """All text so far, this token included as far as it completes characters."""
        self._pending.append(token)
        piece = self._tokenizer.decode(self._pending)
        # A character is four bytes at most: after four tokens the bytes are simply wrong.
        if not piece.endswith(_INCOMPLETE) or len(self._pending) > 4:
            self.text += piece
            self._pending.clear()
        return self.text


def _is_local(vocabulary: Any) -> bool:
    """Whether the end of a text is cut as if nothing stood before its line; when unsure, not."""
    normal, words = _parts(vocabulary.normalizer), _parts(vocabulary.pre_tokenizer)
    return (
        words is not None
        and any(each["type"] == "ByteLevel" for each in words)
        and all(each["type"] in ("ByteLevel", "Split", "Digits") for each in words)
        and not any(each.get("add_prefix_space") for each in words)
        and (vocabulary.normalizer is None or [each["type"] for each in normal or ()] == ["NFC"])
    )


def _parts(step: Any) -> list[dict[str, Any]] | None:
    """What a step of a vocabulary consists of, or None where it does not say."""
    try:
        whole = json.loads(step.__getstate__())
        return list(whole.get("pretokenizers", whole.get("normalizers", [whole])))
    except (AttributeError, TypeError, ValueError):
        return None


def clean(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced: UTF-8 has neither.

    A lone surrogate stays one character; a pair becomes one where it was two.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def as_parts(text: str) -> str:
    """A tokenizer.json for texts that stand inside others: what is around a gap, what fills it.

    Vocabularies of SentencePiece's kind put a blank before a text and take it from its start again,
    which would lose blanks from tokens that are shown one by one. Sentinels are made special.
    """
    values = json.loads(text)
    changed = False
    for token in values.get("added_tokens") or []:
        if token["content"] in SENTINELS and not token.get("special"):
            token["special"] = changed = True
    for name, key in (
        ("normalizer", "normalizers"),
        ("pre_tokenizer", "pretokenizers"),
        ("decoder", "decoders"),
    ):
        step = values.get(name)
        if not isinstance(step, dict):
            continue
        parts = step.get(key, [step])
        kept = [_inside(each) for each in parts if not _at_the_start(each)]
        if kept != parts:
            values[name] = {"type": "Sequence", key: kept} if kept else None
            changed = True
    return json.dumps(values, ensure_ascii=False) if changed else text


def _at_the_start(step: dict[str, Any]) -> bool:
    return step["type"] == "Prepend" or bool(step["type"] == "Strip" and step.get("start"))


def _inside(step: dict[str, Any]) -> dict[str, Any]:
    if step["type"] != "Metaspace":
        return step
    return {**step, "prepend_scheme": "never"} | (
        {"add_prefix_space": False} if "add_prefix_space" in step else {}
    )


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json; ModelUnavailable when it is damaged."""
    from tokenizers import Tokenizer as Library

    try:
        text = path.read_text(encoding="utf-8")
        return Tokenizer(Library.from_str(as_parts(text)))
    except Exception as error:  # the library raises bare Exceptions
        raise ModelUnavailable(f"{path} is damaged ({error}): copy the folder again") from error
