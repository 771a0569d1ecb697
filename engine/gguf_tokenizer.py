"""Text to token ids and back by the vocabulary inside a GGUF file, cut as llama.cpp cuts it."""

import ctypes
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from engine.api import ModelUnavailable
from engine.layouts import SENTINELS, Sentinels
from engine.llama_library import llama, opened
from engine.tokenizer import clean

_KINDS = (1, 2)  # SentencePiece's and byte-level ones; no model that fills gaps has another
_NEVER_TEXT = 1 | 2 | 8  # unknown, unused, control
_WHOLE = 16  # taken from a text as it stands, before anything else is cut
_NO = 0  # neither begin tokens nor special ones
_LONGEST = 512  # bytes of a piece, at first
_ACROSS = re.compile(rb"[0-9A-Za-z]\n")  # what the cuts between words are made at
_LETTER = re.compile(r"[0-9A-Za-z]\n")


class GgufTokenizer:
    """As engine.tokenizer.Tokenizer, of a file. Any text can be encoded."""

    def __init__(self, path: Path) -> None:
        """Read the vocabulary alone; ModelUnavailable where llama.cpp cannot."""
        self._llama = llama()
        self._model: int | None = opened(path, vocab_only=True)
        call = self._call = self._llama.call
        self._vocabulary = call["llama_model_get_vocab"](self._model)
        if call["llama_vocab_type"](self._vocabulary) not in _KINDS:
            raise ModelUnavailable(
                f"{path} has a vocabulary that no model of code has: choose one that was trained to "
                "fill gaps"
            )
        self.size = int(call["llama_vocab_n_tokens"](self._vocabulary))
        texts, kinds = self._spellings()
        self._ids: dict[str, int] = {}
        for token, text in enumerate(texts):
            self._ids.setdefault(text, token)
        self.sentinels = self._sentinels(texts)
        special = {token for token, kind in enumerate(kinds) if kind & _NEVER_TEXT}
        special |= {self._ids[each] for each in SENTINELS if each in self._ids}
        special |= {self._ids[each] for each in self.sentinels or ()}
        special |= {
            token
            for token in {self._role("eos"), self._role("eot"), *_which(kinds, _WHOLE)}
            if token >= 0 and call["llama_vocab_is_eog"](self._vocabulary, token)
        }
        self.special_ids = frozenset(special)
        self.special_texts = tuple(texts[each] for each in sorted(special))
        self._pieces = [b"" if each in special else self._piece(each) for each in range(self.size)]
        begin = self._role("bos")
        begins = begin >= 0 and call["llama_vocab_get_add_bos"](self._vocabulary)
        self.opening = [begin] if begins else []
        # Where no token goes on from a letter to the next line, lines behind letters are cut alone.
        self.is_local = not any(b"\n" in each and _ACROSS.search(each) for each in self._pieces)
        spelled = {texts[each] for each in special if not kinds[each] & _NEVER_TEXT}
        spelled |= {each.replace("\u2581", " ") for each in spelled}
        whole = "|".join(re.escape(each) for each in sorted(spelled) if len(each) > 1)
        self._whole = re.compile(whole) if whole else None

    def __del__(self) -> None:
        if getattr(self, "_model", None):
            self._call["llama_model_free"](self._model)
            self._model = None

    def id_of(self, token: str) -> int | None:
        """The id of one token by its spelling, or None."""
        return self._ids.get(token)

    def encode(self, text: str) -> list[int]:
        text = clean(text)
        if self._whole is None:
            return self._cut(text)
        # A document that spells a sentinel must not become one: it is cut behind its first character.
        places = [0, *(found.start() + 1 for found in self._whole.finditer(text)), len(text)]
        parts = (text[start:end] for start, end in pairwise(places))
        return [token for part in parts if part for token in self._cut(part)]

    def encode_with_starts(self, text: str) -> tuple[list[int], list[int]]:
        """Token ids, and for each the index of its first character in `text`."""
        text = clean(text)
        ids = self.encode(text)
        lengths = (len(self._pieces[each]) for each in ids[:-1])
        offsets = list(accumulate(lengths, initial=0))[: len(ids)]
        if text.isascii():
            return ids, [min(each, len(text)) for each in offsets]
        ends = list(accumulate(len(each.encode()) for each in text))
        return ids, [bisect_right(ends, each) for each in offsets]

    def encode_words(self, text: str) -> tuple[list[int], list[int], list[int | None]]:
        """The same, and a number for each token that changes where nothing is cut across."""
        ids, starts = self.encode_with_starts(text)
        changes = (_LETTER.match(text, start - 1) is not None for start in starts)
        return ids, starts, [*list(accumulate(changes, initial=0))[1:]]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens, without the special ones."""
        return b"".join(self._pieces[each] for each in ids).decode("utf-8", "replace")

    def pieces(self) -> list[str]:
        """The text of every token by itself; halves of characters show as U+FFFD."""
        return [each.decode("utf-8", "replace") for each in self._pieces]

    def split(self, text: str) -> list[str]:
        """A text in words, each with the blank before it: what the file's own rule is, it does not say."""
        from tokenizers import pre_tokenizers

        text = clean(text)
        words = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
        return [text[start:end] for _, (start, end) in words]

    def _cut(self, text: str) -> list[int]:
        written = text.encode()
        room = len(written) + 8
        ids = (ctypes.c_int32 * room)()
        count = self._call["llama_tokenize"](
            self._vocabulary, written, len(written), ids, room, _NO, _NO
        )
        return ids[: max(0, count)]

    def _piece(self, token: int) -> bytes:
        room = _LONGEST
        while True:
            text = ctypes.create_string_buffer(room)
            length = self._call["llama_token_to_piece"](self._vocabulary, token, text, room, 0, _NO)
            if length >= 0:
                return text.raw[:length]
            room = -length

    def _spellings(self) -> tuple[list[str], list[int]]:
        text_of, kind_of = self._call["llama_vocab_get_text"], self._call["llama_vocab_get_attr"]
        tokens = range(self.size)
        texts = [
            (text_of(self._vocabulary, each) or b"").decode("utf-8", "replace") for each in tokens
        ]
        return texts, [kind_of(self._vocabulary, each) for each in tokens]

    def _role(self, name: str) -> int:
        return int(self._call[f"llama_vocab_{name}"](self._vocabulary))

    def _sentinels(self, texts: list[str]) -> Sentinels | None:
        """As the file names them, or llama.cpp finds them by their spelling."""
        ids = [self._role(name) for name in ("fim_pre", "fim_suf", "fim_mid")]
        end = next((each for each in (self._role("eot"), self._role("eos")) if each >= 0), -1)
        if min(*ids, end) < 0:
            return None
        prefix, suffix, middle, last = (texts[each] for each in (*ids, end))
        return prefix, suffix, middle, last


def _which(kinds: list[int], kind: int) -> list[int]:
    return [token for token, each in enumerate(kinds) if each & kind]
