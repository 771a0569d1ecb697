"""Footnote and its peers on the same copies and the same texts that are none, each of them alone."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.document import Document
from indexer.shards import read_documents
from trainer.evaluation.attribution.checking import Probe, Seen
from trainer.evaluation.attribution.peers import suffix_array
from trainer.evaluation.attribution.peers.membership import PEERS, Found
from trainer.evaluation.attribution.peers.ranking import (
    CHUNK_LINES,
    OVERLAP,
    Ranker,
    bag,
    best_window,
    ranked,
)
from trainer.evaluation.attribution.peers.scanning import Corpus, Questions, scan
from trainer.evaluation.attribution.planting import Case
from trainer.evaluation.attribution.scores import interval

PROTOCOL = (
    "every method is given the copy, or the window of a held-out file, by itself, and the whole "
    "corpus; peers are ours, made from their published parameters (not the vendors' services); "
    "their look-ups are answered by one pass over the corpus, as an index of it would answer. "
    "Bags of words are compared with any window of as many lines around the ten chunks that BM25 "
    "ranks first. At the same rate of false alerts: with the lowest threshold that flags no more "
    "windows than Footnote warns of"
)
OURS = "Footnote"


@dataclass(slots=True)
class Method:
    """How a method judged all texts, in their order: copies first, then windows."""

    name: str
    parameters: str
    published: float | None  # score from which it speaks; None: it has none
    found: list[Found]
    index_ratio: float | None = None  # bytes of its index by bytes of corpus
    names_sources: bool = True
    right: list[int] = field(default_factory=list)  # rank of the right source of each copy, or 0


def methods(
    corpus: Path,
    texts: Sequence[tuple[str, int]],
    cases: Sequence[Case],
    *,
    jobs: int,
    shown: Callable[[Iterable[Document]], Iterable[Document]],
) -> list[Method]:
    """All peers on all texts, each given with its lines. One or two passes over the corpus."""
    questions = Questions.of([text for text, _ in texts])
    with tempfile.TemporaryDirectory(prefix="footnote-peers-", dir=corpus.parent) as place:
        folder = Path(place)
        if suffix_array.is_installed():
            with suffix_array.StreamWriter(folder) as writer:
                known = scan(shown(read_documents(corpus)), questions, jobs=jobs, stream=writer.add)
            suffix_array.build(folder, jobs=jobs)
            found = _by_suffixes(folder, texts, known)
        else:
            known = scan(shown(read_documents(corpus)), questions, jobs=jobs)
            found = []
    found += [
        Method(
            peer.name,
            peer.parameters,
            peer.published,
            [peer.judged(peer.asked(text), known.places[number]) for text, _ in texts],
            known.hashed[number] * peer.bytes_per_hash / max(1, known.bytes),
            peer.names_sources,
        )
        for number, peer in enumerate(PEERS)
    ]
    found += _by_words(corpus, texts, known, questions)
    _find_right_sources(corpus, found, cases, known)
    return found


def _find_right_sources(
    corpus: Path, made: Sequence[Method], cases: Sequence[Case], known: Corpus
) -> None:
    """Ranks the right source among the named ones; a file with the passage byte for byte is right, too."""
    naming = [each for each in made if each.names_sources]
    wanted = {
        n for method in naming for found in method.found[: len(cases)] for n in found.documents
    }
    texts = {n: each.text for n, each in enumerate(read_documents(corpus)) if n in wanted}
    for method in naming:
        for case, found in zip(cases, method.found, strict=False):
            right = (
                rank
                for rank, number in enumerate(found.documents, 1)
                for origin in case.origins
                if known.names[number] == (origin.package, origin.path)
                or origin.text in texts[number]
            )
            method.right.append(next(right, 0))


def _by_suffixes(folder: Path, texts: Sequence[tuple[str, int]], known: Corpus) -> list[Method]:
    engine = suffix_array.opened(folder)
    return [
        Method(
            "infini-gram on words",
            "longest exact run, half of the text",
            suffix_array.PUBLISHED,
            [suffix_array.judged(engine, text) for text, _ in texts],
            suffix_array.size(folder) / max(1, known.bytes),
        )
    ]


def _by_words(
    corpus: Path, texts: Sequence[tuple[str, int]], known: Corpus, questions: Questions
) -> list[Method]:
    ranker = Ranker(known.postings, questions.vocabulary)
    best = [ranker.best(text) for text, _ in texts]
    wanted = {int(known.postings.documents[chunk]) for each in best for chunk, _ in each}
    rows = {
        number: each.text.split("\n")
        for number, each in enumerate(read_documents(corpus))
        if number in wanted
    }
    overlaps = [
        _overlap(text, lines, found, known, rows)
        for (text, lines), found in zip(texts, best, strict=True)
    ]
    return [
        Method("BM25 alone", "k1 1.2, b 0.75, chunks of 40 lines, first", None,
               [ranked(each, known.postings) for each in best]),
        Method("SourcererCC-like bags", "70% of the words of the larger", OVERLAP, overlaps),
    ]  # fmt: skip


def _overlap(
    text: str,
    lines: int,
    found: Sequence[tuple[int, float]],
    known: Corpus,
    rows: Mapping[int, Sequence[str]],
) -> Found:
    asked = bag(text)
    scores: dict[int, float] = {}
    for chunk, _ in found:
        document = int(known.postings.documents[chunk])
        first = int(known.postings.first_lines[chunk])
        near = rows[document][max(0, first - CHUNK_LINES // 2) : first + CHUNK_LINES * 3 // 2]
        scores[document] = max(scores.get(document, 0.0), best_window(asked, near, lines))
    best = sorted(scores, key=lambda each: (-scores[each], each))[:3]
    return Found(scores[best[0]] if best else 0.0, tuple(best))


def ours(copies: Sequence[Seen], windows: Sequence[Seen], index_ratio: float) -> Method:
    """What Footnote said, as a method among the others."""
    found = [Found(_TIERS[each.tier]) for each in (*copies, *windows)]
    right = [each.rank for each in copies]
    return Method(OURS, "a warning; index without text", 1.0, found, index_ratio, right=right)


_TIERS = {"": 0.0, "information": 0.5, "warning": 1.0}


def rows(
    made: Sequence[Method], cases: Sequence[Case], windows: Sequence[Probe]
) -> list[dict[str, Any]]:
    """For each method, kind and length what is found, as published and at Footnote's false alerts."""
    footnote = next(each for each in made if each.name == OURS)
    allowed = sum(each.score >= _TIERS["warning"] for each in footnote.found[len(cases) :])
    return [
        {"method": method.name, "parameters": method.parameters, "at": at, **row}
        for method in made
        for at, threshold in _thresholds(method, len(cases), allowed)
        for row in _rows(method, threshold, cases, windows)
    ]


def _thresholds(method: Method, copies: int, allowed: int) -> Iterator[tuple[str, float]]:
    if method.published is not None:
        yield "published", method.published
    if method.name == OURS:
        yield "either tier", _TIERS["information"]
    else:
        highest = sorted((each.score for each in method.found[copies:]), reverse=True)
        # Just above the first window that would be one too many.
        yield "equal", (highest[allowed] if allowed < len(highest) else 0.0) + 1e-9


def _rows(
    method: Method, threshold: float, cases: Sequence[Case], windows: Sequence[Probe]
) -> Iterator[dict[str, Any]]:
    false = [each.score >= threshold for each in method.found[len(cases) :]]
    cells: dict[tuple[str, int], list[int]] = {}
    for number, case in enumerate(cases):
        cells.setdefault((case.kind, case.lines), []).append(number)
    for (kind, lines), numbers in cells.items():
        hits = [method.found[each].score >= threshold for each in numbers]
        right = [
            method.right[n] for n, hit in zip(numbers, hits, strict=True) if hit and method.right
        ]
        yield {
            "kind": kind,
            "lines": lines,
            "cases": len(numbers),
            "found": round(sum(hits) / len(hits), 4),
            "found_95": interval(hits, [cases[each].package for each in numbers]),
            "source_1": round(sum(each == 1 for each in right) / len(right), 4) if right else None,
            "source_3": round(sum(each > 0 for each in right) / len(right), 4) if right else None,
            "threshold": round(threshold, 4),
            "windows": len(windows),
            "false_alerts": sum(false),
            "index_ratio": method.index_ratio and round(method.index_ratio, 4),
        }
