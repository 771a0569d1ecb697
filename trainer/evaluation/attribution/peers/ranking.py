"""Two peers that compare words: BM25 alone, and the overlap of bags of words as SourcererCC takes it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.evaluation.attribution.peers.grams import is_term, lexemes
from trainer.evaluation.attribution.peers.membership import Found

CHUNK_LINES = 40
CANDIDATES = 10  # chunks that are compared as bags
OVERLAP = 0.7  # of the larger bag (Sajnani et al. 2016, arXiv 1512.06448)
_K1, _B = 1.2, 0.75


def terms(words: Sequence[str]) -> Counter[str]:
    return Counter(word for word in words if is_term(word))


@dataclass(frozen=True, slots=True)
class Postings:
    """Chunks of the corpus by the terms that questions have."""

    term: npt.NDArray[np.int32]  # sorted
    chunk: npt.NDArray[np.int32]
    count: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.int32]  # of every chunk, in terms
    documents: npt.NDArray[np.int32]  # of every chunk
    first_lines: npt.NDArray[np.int32]


class Ranker:
    """BM25 over the chunks, at the parameters everybody starts from."""

    def __init__(self, postings: Postings, vocabulary: Mapping[str, int]) -> None:
        self._postings = postings
        self._vocabulary = vocabulary
        self._starts = np.searchsorted(postings.term, np.arange(len(vocabulary) + 1))
        average = max(1.0, float(postings.lengths.mean())) if len(postings.lengths) else 1.0
        self._average = average
        self._norms = _K1 * (1 - _B + _B * postings.lengths / average)

    def best(self, text: str, limit: int = CANDIDATES) -> list[tuple[int, float]]:
        """The chunks with the highest scores, each as a share of what the text itself would have."""
        asked = terms(lexemes(text))
        size = len(self._postings.lengths)
        scores = np.zeros(size)
        own = 0.0
        norm = _K1 * (1 - _B + _B * sum(asked.values()) / self._average)
        for term, count in asked.items():
            number = self._vocabulary.get(term)
            if number is None:
                continue
            start, end = self._starts[number], self._starts[number + 1]
            # A term that the corpus lacks weighs most: its absence is what tells.
            rarity = math.log(1 + (size - (end - start) + 0.5) / (end - start + 0.5))
            own += rarity * count * (_K1 + 1) / (count + norm)
            chunks = self._postings.chunk[start:end]
            counts = self._postings.count[start:end]
            scores[chunks] += rarity * counts * (_K1 + 1) / (counts + self._norms[chunks])
        if not own or not size:
            return []
        top = np.argpartition(-scores, min(limit, size - 1))[:limit]
        top = top[np.argsort(-scores[top], kind="stable")]
        return [(int(each), float(min(1.0, scores[each] / own))) for each in top if scores[each]]


def bag_overlap(asked: Counter[str], other: Counter[str]) -> float:
    """Shared words as a share of the larger bag."""
    larger = max(asked.total(), other.total())
    return (asked & other).total() / larger if larger else 0.0


def bag(text: str) -> Counter[str]:
    """Words and literals; marks are no tokens to SourcererCC."""
    return Counter(word for word in lexemes(text) if word[0].isalnum() or word[0] == "_")


def best_window(asked: Counter[str], rows: Sequence[str], lines: int) -> float:
    """The best overlap with `lines` lines in a row that are not blank."""
    bags = [bag(row) for row in rows if row.strip()]
    best, now = 0.0, Counter[str]()
    for number, each in enumerate(bags):
        now.update(each)
        if number >= lines:
            now.subtract(bags[number - lines])
        if number >= lines - 1:
            best = max(best, bag_overlap(asked, +now))
    return best or bag_overlap(asked, now)


def ranked(found: Sequence[tuple[int, float]], postings: Postings) -> Found:
    """What BM25 alone says: the score of the first, and the documents of the first few."""
    documents = [int(postings.documents[chunk]) for chunk, _ in found]
    return Found(found[0][1] if found else 0.0, tuple(dict.fromkeys(documents))[:3])
