"""How often is what a model writes a near-verbatim copy of what it was trained on?

The attribution index judges, as it does in the editor: a completion is flagged when a passage of the
corpus matches it at the tier of a warning.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from indexer import AttributionIndex, Match, match_json
from indexer.attribution.families import family_of
from indexer.attribution.lexing import lexer_of_family
from indexer.document import Document
from indexer.shards import read_documents
from trainer.evaluation import cases as gaps
from trainer.evaluation.batched import Continuation, Seen, continue_all
from trainer.evaluation.cases import Case
from trainer.evaluation.causal import CausalModel
from trainer.evaluation.raw import RawModel
from trainer.evaluation.report import wilson
from trainer.examples import is_table

CORPUS = "corpus prefix"
LONG_CHARACTERS = 50  # the copies that the design asks about
LONG_TOKENS = 65  # GitHub's snippet rule; lexemes as the index counts them
EXTRACTED = 50  # tokens equal to the file's own (Carlini et al. 2023, arXiv 2202.07646)

PROTOCOL = (
    "completions of held-out line and block gaps (no file of theirs was trained on) and, the "
    "adversarial case, continuations of corpus files from a line start in their middle half, left "
    "to right, {tokens} new tokens; greedy, and sampled at temperature {temperature:g}, {samples} "
    "of each prompt (intervals take them as independent, which they are not quite); flagged: the "
    "attribution index warns of a near-verbatim match, judged with the 65 lexemes before it as in "
    "the editor (before a corpus gap they are corpus text themselves, and the match may lean on "
    "them); alone: it warns of the completion by itself; shares are of the "
    "completions with at least 50 characters, and of those with at least 65 lexemes (shorter ones "
    "match by accident); extracted: the first 50 tokens are those of the file itself; the author's "
    "own text shows what the index flags anyway"
)


@dataclass(slots=True)
class Tally:
    """Completions of one kind of prompt, decoded in one way."""

    completions: int = 0
    empty: int = 0
    long: list[bool] = field(default_factory=list)  # flagged, of those with 50 characters
    alone: list[bool] = field(default_factory=list)  # of the same, flagged by themselves
    token_long: list[bool] = field(default_factory=list)  # flagged, of those with 65 lexemes
    noticed: int = 0  # at either tier
    extracted: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def row(self, prompts: str, decoding: str) -> dict[str, Any]:
        flagged, token_flagged = sum(self.long), sum(self.token_long)
        return {
            "prompts": prompts,
            "decoding": decoding,
            "completions": self.completions,
            "empty": self.empty,
            "of_50_characters": len(self.long),
            "flagged": _share(flagged, len(self.long)),
            "flagged_95": _interval(flagged, len(self.long)),
            "flagged_alone": _share(sum(self.alone), len(self.alone)),
            "flagged_alone_95": _interval(sum(self.alone), len(self.alone)),
            "of_65_lexemes": len(self.token_long),
            "flagged_65": _share(token_flagged, len(self.token_long)),
            "flagged_65_95": _interval(token_flagged, len(self.token_long)),
            "flagged_of_all": _share(flagged, self.completions),
            "flagged_of_all_95": _interval(flagged, self.completions),
            "noticed": self.noticed,
            "extracted": self.extracted,
            "reported_as": dict(self.kinds),
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _interval(part: int, whole: int) -> list[float] | None:
    return [round(each, 4) for each in wilson(part, whole)] if whole else None


def held_out_cases(
    documents: Sequence[Document], kind: str, languages: Sequence[str], count: int
) -> list[Case]:
    """`count` gaps, the languages in turn."""
    drawn = [
        gaps.draw(documents, kind=kind, language=language, count=-(-count // len(languages)))
        for language in languages
    ]
    return _in_turn(drawn, count)


def corpus_cases(corpus: Path, languages: Sequence[str], count: int) -> list[Case]:
    """`count` files of the corpus cut in two, chosen by content hash, the languages in turn."""
    hashes: dict[str, list[str]] = {language: [] for language in languages}
    for each in read_documents(corpus, ("sha256", "language")):
        if each.language in hashes:
            hashes[each.language].append(each.sha256)
    # Twice as many as needed: some are too short to be cut.
    wanted = {sha for each in hashes.values() for sha in sorted(each, key=_place)[: 2 * count + 8]}
    found: dict[str, list[Case]] = {language: [] for language in languages}
    chosen = [each for each in read_documents(corpus) if each.sha256 in wanted]
    for document in sorted(chosen, key=lambda each: _place(each.sha256)):
        case = _cut(document) if document.language in found else None
        if case is not None:
            found[document.language].append(case)
    return _in_turn(list(found.values()), count)


def _place(sha: str) -> str:
    return hashlib.sha256(f"memorization/{sha}".encode()).hexdigest()


def _in_turn(groups: Sequence[Sequence[Case]], count: int) -> list[Case]:
    out: list[Case] = []
    for place in range(max(map(len, groups), default=0)):
        out += [group[place] for group in groups if place < len(group)]
    return out[:count]


def _cut(document: Document) -> Case | None:
    """The file cut at a line start in its middle half; None where that leaves too little."""
    text = document.text
    if not 500 < len(text) <= gaps.MAX_FILE or is_table(text):
        return None
    place = int(len(text) * Random(_place(document.sha256)).uniform(0.25, 0.75))
    start = text.find("\n", place) + 1
    if not 200 <= start <= len(text) - 250:
        return None
    return Case(
        name=f"{document.package}/{document.path}:{text.count(chr(10), 0, start) + 1}",
        kind=CORPUS,
        language=document.language,
        path=document.path,
        prefix=text[:start],
        middle=text[start:],
        suffix="",
        repository=document.package,
    )


@dataclass(frozen=True, slots=True)
class Decoding:
    name: str
    temperature: float
    samples: int


def decodings(temperature: float, samples: int) -> list[Decoding]:
    sampled = Decoding(f"sampled at {temperature:g}", temperature, samples)
    return [Decoding("greedy", 0.0, 1), *([sampled] if samples else [])]


def write(
    model: CausalModel,
    raw: RawModel | None,
    cases: Sequence[Case],
    way: Decoding,
    *,
    new_tokens: int,
    context: int,
    budget: int,
    seen: Seen = iter,
) -> list[tuple[Case, str]]:
    """Each case with a text of the model, each sample of it by dice of its own."""
    repeated = [case for case in cases for _ in range(way.samples)]
    seeds = [_seed(case, number) for case in cases for number in range(way.samples)]
    if cases and cases[0].kind != CORPUS:
        assert raw is not None
        texts, _ = raw.fill(
            repeated, temperature=way.temperature, seeds=seeds, budget=budget, seen=seen
        )
        return list(zip(repeated, texts, strict=True))
    wanted = []
    for case, seed in zip(repeated, seeds, strict=True):
        ids = model.tokenizer.encode(case.prefix[-context * 8 :])
        wanted.append(Continuation([model.begin, *ids[-context:]], new_tokens, seed))
    found = continue_all(model, wanted, temperature=way.temperature, budget=budget, seen=seen)
    return [
        (case, model.tokenizer.decode(tokens)) for case, tokens in zip(repeated, found, strict=True)
    ]


def _seed(case: Case, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{case.name}/{number}".encode()).digest()[:6], "big")


def authors_own(cases: Iterable[Case], characters: int) -> list[tuple[Case, str]]:
    """Each case with the text that its author wrote there, as much as a model would write."""
    return [(case, case.middle[:characters]) for case in cases]


def judge(
    index: AttributionIndex,
    written: Iterable[tuple[Case, str]],
    model: CausalModel,
) -> Tally:
    """Look every completion up in the index, in its place in the file."""
    tally = Tally()
    for case, text in written:
        tally.completions += 1
        if not text.strip():
            tally.empty += 1
            continue
        matches = index.check_completion(case.prefix, text, case.suffix, language=case.language)
        warnings = [each for each in matches if each.tier == "warning"]
        tally.noticed += bool(matches)
        tally.extracted += _is_extracted(case, text, model)
        is_flagged = bool(warnings)
        if len(text.strip()) >= LONG_CHARACTERS:
            tally.long.append(is_flagged)
            alone = index.check_completion("", text, "", language=case.language)
            tally.alone.append(any(each.tier == "warning" for each in alone))
            if warnings:
                tally.kinds[warnings[0].kind] += 1
                tally.examples.append(_example(case, text, warnings[0]))
        if len(lexer_of_family(family_of(case.language)).tokens(text)) >= LONG_TOKENS:
            tally.token_long.append(is_flagged)
    return tally


def _is_extracted(case: Case, text: str, model: CausalModel) -> bool:
    if case.kind != CORPUS:
        return False
    wanted = model.tokenizer.encode(case.middle[: EXTRACTED * 40])[:EXTRACTED]
    got = model.tokenizer.encode(text)[:EXTRACTED]
    return len(got) == EXTRACTED and got == wanted


def _example(case: Case, text: str, match: Match) -> dict[str, Any]:
    return {"at": case.name, "text": text, "match": match_json(match)}
