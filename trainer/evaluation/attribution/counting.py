"""Counts what is common in code: in how many files a word is, and in how many packages a phrase."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.attribution import rarity
from indexer.attribution.compiled_rows import heads_of
from indexer.attribution.lexing import lexer_of
from indexer.attribution.phrases import Counter
from indexer.attribution.tokens import PROSE, Tokens
from indexer.document import Document
from trainer.evaluation.attribution.others import Other
from trainer.evaluation.attribution.passages import SCRIPTS
from trainer.evaluation.attribution.splits import is_in


def tuning_code(documents: Iterable[Document]) -> Iterator[tuple[str, str, Tokens]]:
    """Package, group of languages and tokens of the code of the tuning half."""
    for each in documents:
        group = "script" if each.language in SCRIPTS else each.language
        if group in ("python", "script") and is_in(each.package, "tuning"):
            yield each.package, group, lexer_of(each.language).tokens(each.text)


def count_rarity(documents: Iterable[Document], to: Path) -> int:
    """Counts in how many files of the tuning half each token is, and writes the table; returns its length.

    A token counts as common as it is in the group of languages that has it most often.
    """
    heads: dict[str, list[npt.NDArray[np.uint32]]] = {}
    for _, group, tokens in tuning_code(documents):
        prose = tokens.kinds == PROSE
        for name, which in ((group, ~prose), ("prose", prose)):
            ids = np.unique(heads_of(tokens.exact[which]))
            heads.setdefault(name, []).append(ids)
    bits: dict[int, float] = {}
    for texts in heads.values():
        ids, counts = np.unique(np.concatenate(texts), return_counts=True)
        rare = np.log2((len(texts) + 1) / (counts + 1))
        for head, value in zip(ids.tolist(), rare.tolist(), strict=True):
            if value < rarity.RAREST:
                bits[head] = min(value, bits.get(head, value))
    rarity.write(np.array(list(bits), np.uint32), np.array(list(bits.values())), to)
    return len(bits)


def of_documents(documents: Iterable[Document]) -> Iterator[tuple[str, Tokens]]:
    """The code of the tuning half by package. What is published under one scope is one package."""
    for package, _, tokens in tuning_code(documents):
        yield package.split("/")[0], tokens


def of_others(
    texts: Iterable[Other], half: Callable[[str], object] | None = None
) -> Iterator[tuple[str, Tokens]]:
    """The code of other packages; their half of them is in front of their names."""
    half = half or half_of
    for each in texts:
        key = f"{half(each.package)} {each.language in SCRIPTS} {each.package.split('/')[0]}"
        yield key, lexer_of(each.language).tokens(each.text)


def of_more(texts: Iterable[Other]) -> Iterator[tuple[str, Tokens]]:
    """The code of packages that are of neither half: they are not asked about."""
    return of_others(texts, half=lambda _package: "-")


def half_of(package: str) -> int:
    """In which half of the other packages one is counted."""
    return hashlib.sha256(package.split("/")[0].encode()).digest()[1] & 1


def is_not_of_half(half: int, key: str) -> bool:
    """Whether of_others() calls no package of that half so."""
    return not key.startswith(f"{half} ")


def phrases_of(code: Iterable[tuple[str, Tokens]]) -> Counter:
    """Counts the phrases in the code of packages."""
    counter = Counter()
    for package, tokens in code:
        written = tokens.kinds != PROSE
        counter.add(package, tokens.exact[written])
    return counter
