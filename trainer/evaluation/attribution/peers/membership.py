"""Three peers that look hashes up: Data Portraits, SCANOSS and Copilot's code referencing.

What each of them hashes, on the corpus's side and on the asking side, and how its score comes from the
hits. Hash functions are ours: which one is taken decides nothing but chance hits.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.attribution.peers.grams import (
    Hashes,
    characters,
    lexemes,
    rolling,
    winnowed,
    word_hashes,
)

PORTRAIT_WIDTH = PORTRAIT_STRIDE = 50  # characters (Marone and Van Durme 2023, arXiv 2303.03919)
SCANOSS_GRAM, SCANOSS_WINDOW = 30, 64  # bytes and grams (scanoss/wfp)
COPILOT_LEXEMES = 65  # (copilot-language-server, code referencing)

Places = Mapping[int, Sequence[int]]  # hash -> numbers of the documents it is in


@dataclass(frozen=True, slots=True)
class Found:
    """What a peer says of a text: how much of it is in the corpus, and in which documents foremost."""

    score: float
    documents: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A way of looking up hashes."""

    name: str
    parameters: str
    published: float  # score from which it speaks, as published
    indexed: Callable[[str, Hashes], Hashes]  # of a document of the corpus and its words
    asked: Callable[[str], Hashes]  # of a text that is asked about
    judged: Callable[[Hashes, Places], Found]
    bytes_per_hash: float
    names_sources: bool


def portrait_indexed(text: str, words: Hashes) -> Hashes:
    return portrait_asked(text)[::PORTRAIT_STRIDE]


def portrait_asked(text: str) -> Hashes:
    return rolling(characters(" ".join(text.split())), PORTRAIT_WIDTH)


def portrait_judged(asked: Hashes, places: Places) -> Found:
    """The longest chain of hits, a stride apart, as a share of the longest that there could be."""
    hits = _hits(asked, places)
    longest = 0
    for start in range(min(PORTRAIT_STRIDE, len(hits))):
        run = 0
        for hit in hits[start::PORTRAIT_STRIDE].tolist():
            run = run + 1 if hit else 0
            longest = max(longest, run)
    return Found(min(1.0, longest * PORTRAIT_STRIDE / max(1, len(asked))))


def scanoss_indexed(text: str, words: Hashes) -> Hashes:
    return scanoss(text)


def scanoss(text: str) -> Hashes:
    """Winnowed grams of the letters and digits, in lower case."""
    data = np.frombuffer(text.lower().encode("utf-8", "surrogatepass"), np.uint8)
    plain = ((data >= 48) & (data <= 57)) | ((data >= 97) & (data <= 122))
    return winnowed(rolling(data[plain].astype(np.uint64), SCANOSS_GRAM), SCANOSS_WINDOW)


def best_document(asked: Hashes, places: Places) -> Found:
    """The share of the hashes that one document has, and the documents that have most."""
    if not len(asked):
        return Found(0.0)
    counts: Counter[int] = Counter()
    for each in asked.tolist():
        counts.update(set(places.get(each, ())))
    if not counts:
        return Found(0.0)
    best = sorted(counts, key=lambda each: (-counts[each], each))[:3]
    return Found(counts[best[0]] / len(asked), tuple(best))


def copilot(text: str) -> Hashes:
    """Every run of 65 lexemes; whitespace is none."""
    return copilot_indexed(text, word_hashes(lexemes(text)))


def copilot_indexed(text: str, words: Hashes) -> Hashes:
    return rolling(words, COPILOT_LEXEMES)


def _hits(asked: Hashes, places: Places) -> npt.NDArray[np.bool_]:
    return np.fromiter((each in places for each in asked.tolist()), bool, len(asked))


_ANY = 1e-9
PEERS = (
    Peer(
        "Data Portraits",
        "50 characters at stride 50, longest chain",
        0.5,
        portrait_indexed,
        portrait_asked,
        portrait_judged,
        14.4 / 8,  # a Bloom filter with one false answer in a thousand
        names_sources=False,
    ),
    Peer(
        "SCANOSS-style winnowing",
        "grams of 30 bytes, windows of 64, share in one file",
        0.5,
        scanoss_indexed,
        scanoss,
        best_document,
        18.0,  # a record of its knowledge base
        names_sources=True,
    ),
    Peer(
        "Copilot-style exact runs",
        "65 lexemes, any",
        _ANY,
        copilot_indexed,
        copilot,
        best_document,
        8.0,
        names_sources=True,
    ),
)
