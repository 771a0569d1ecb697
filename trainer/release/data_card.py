"""DATA_CARD.md: what the model was trained on, generated from the corpus's own records."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trainer.release.markdown import UNKNOWN, bullets, cell, exact, megabytes, table
from trainer.release.records import CorpusRecord
from trainer.release.source import Source

# Why the curation leaves a file out, by the word it counts it under.
_REASONS = {
    "benchmark": "holds most of an exercise of an evaluation benchmark",
    "compiled": "output of a compiler or bundler, or its source is in the package as well",
    "data_size": "JSON or YAML outside the sizes that are taken",
    "exact_duplicate": "the same text as another file",
    "few_alphanumerics": "too few letters and digits",
    "few_letters": "JSON or YAML with too few letters",
    "generated": "says that a program has written it",
    "held_out": "the same text as a file of a held-out package",
    "held_out_folder": "a copy of a held-out package inside another one",
    "language_cap": "its language has its share already",
    "license": "its package's licence is not one that is taken",
    "license_file": "a licence or notice, nobody's code",
    "license_header": "its own header names a licence that is not taken",
    "literals": "mostly data written as literals",
    "long_line": "a line that is too long",
    "long_mean_line": "lines that are too long on average",
    "near_duplicate": "nearly the same text as another file",
    "near_held_out": "nearly the same text as a file of a held-out package",
    "not_source": "a kind of file that is not taken",
    "not_utf8": "no text in UTF-8",
    "opted_out": "left out at somebody's wish",
    "packaging": "made by the packaging",
    "too_large": "too large",
    "too_small": "too small",
    "translations": "tables of translated texts",
    "unparsable": "Python that does not parse",
    "vendored": "a copy of somebody else's package",
    "web_asset": "a web asset: minified or bundled",
}


def data_card(source: Source, corpus: CorpusRecord | None, *, contact: str) -> str:
    """The whole card. Without a corpus at hand it says what is known, which is little."""
    named = dict(source.about.get("corpus", {}))
    parts = [f"# Training data of {source.name}"]
    if corpus is None:
        parts += _unknown(named)
    else:
        parts += [
            *_summary(corpus),
            *_languages(corpus.statistics),
            *_licences(corpus),
            *_filters(corpus),
            *_dropped(corpus.statistics),
            *_evaluation(corpus),
            *_redaction(corpus.statistics),
        ]
    parts += _opt_out(contact, known=corpus is not None)
    return "\n\n".join(parts) + "\n"


def _unknown(named: Mapping[str, Any]) -> list[str]:
    if not named.get("hash"):
        return ["The checkpoint does not record what it was trained on. Nothing is said here of its "
                "data, licences, filters, or personal information, because nothing is known."]  # fmt: skip
    return [
        "The checkpoint names its corpus by hash. The corpus itself was not at hand when this card "
        "was written, so its languages, licences, filters and counts are not given here.",
        bullets(
            [
                f"name: {named.get('name') or UNKNOWN}",
                f"hash over all documents: `{named['hash']}`",
                f"hash of the recipe: `{named.get('recipe_hash') or UNKNOWN}`",
            ]
        ),
        "Whoever has that corpus can describe it: `footnote release ... --corpus FOLDER`.",
    ]


def _summary(corpus: CorpusRecord) -> list[str]:
    manifest, packages = corpus.manifest, corpus.manifest.meta.get("packages", ())
    kinds: dict[str, int] = {}
    for each in packages:
        kinds[each["kind"]] = kinds.get(each["kind"], 0) + 1
    sources = ", ".join(f"{number:,} from {kind}" for kind, number in sorted(kinds.items()))
    failed = manifest.meta.get("failed", ())
    rows = [
        f"name and version: {manifest.name} {manifest.meta.get('version', '')}".rstrip(),
        f"documents: {manifest.documents:,}, {megabytes(manifest.bytes)} of text in UTF-8",
        f"packages: {len(packages):,} ({sources})" if packages else f"packages: {UNKNOWN}",
        f"selection: {manifest.selection}",
        f"hash over all documents: `{manifest.corpus_hash}` (the checkpoint names the same)",
        f"hash of the recipe: `{manifest.recipe_hash}`",
    ]
    if failed:
        rows.append(f"could not be fetched and are missing: {cell([str(each) for each in failed])}")
    published = set(kinds) <= {"pypi", "npm", "debian"} and bool(kinds)
    return [
        f"Every source is {'a published package, ' if published else ''}pinned by version and hash; "
        "nothing from a source was run. Each document knows its package, version, path, address and licence, so what the "
        "model writes can be looked up: `footnote check FILE`, `footnote lookup NAME`. The texts are "
        "not passed on with the model; `footnote corpus build` fetches and curates them again. All "
        "packages are listed in SOURCES.csv.",
        bullets(rows),
    ]


def _languages(values: Mapping[str, Any]) -> list[str]:
    rows = [
        {
            **row,
            "mb_before": _mb(row["bytes_before"]),
            "mb": _mb(row["bytes"]),
            "percent": f"{row['percent']:.2f}",
        }
        for row in values["languages"]
    ]
    columns = {
        "language": "language",
        "files_before": "files found",
        "mb_before": "MB found",
        "files": "files kept",
        "mb": "MB kept",
        "percent": "% of the corpus",
    }
    return ["## Languages", table(rows, columns)]


def _mb(size: int) -> str:
    return f"{size / 1e6:,.2f}"


def _licences(corpus: CorpusRecord) -> list[str]:
    rows = [{**row, "mb": _mb(row["bytes"])} for row in corpus.statistics["licenses"]]
    columns = {"license": "licence (SPDX)", "packages": "packages", "files": "files", "mb": "MB"}
    parts = [
        "## Licences",
        "As each package declares it; a file whose own header names another allowed licence counts "
        "here under its package's. A choice (`OR`) was taken where one side is allowed.",
        table(rows, columns),
    ]
    if corpus.recipe:
        allowed = ", ".join(sorted(corpus.recipe.licenses))
        parts.append(
            f"Allowed were: {allowed}. No file without a licence was taken. Most of these licences "
            "ask that their notice goes along with copies: where the model repeats a file at "
            "length, that file's licence applies to the copy."
        )
    return parts


def _filters(corpus: CorpusRecord) -> list[str]:
    if corpus.parameters is None:
        return ["## Filters", "The corpus was built from another recipe, or by another version of "
                "the curation, than the one that wrote this card: its thresholds are not recorded."]  # fmt: skip
    values = asdict(corpus.parameters)
    caps = values.pop("caps")
    values |= {f"share of {name}, at most": cap for name, cap in caps.items()}
    rows = [
        {
            "parameter": name,
            "value": " to ".join(map(exact, value)) if isinstance(value, tuple) else exact(value),
        }
        for name, value in values.items()
    ]
    return [
        "## Filters",
        "Near-duplicates are found by MinHash over runs of tokens (`shingle`) with `bands` bands of "
        "`rows` rows, and counted as such from the Jaccard similarity `jaccard` on; one of each "
        "group is kept. Lengths are in characters, sizes in bytes, shares in parts of 1.",
        table(rows, {"parameter": "parameter", "value": "value"}),
    ]


def _dropped(values: Mapping[str, Any]) -> list[str]:
    rows = [
        {**row, "mb": _mb(row["bytes"]), "why": _REASONS.get(row["reason"], "")}
        for row in values["dropped"]
    ]
    columns = {"reason": "reason", "files": "files", "mb": "MB", "why": "what it means"}
    return [
        "## Left out",
        "A file counts under the first reason that applies. Whoever builds the corpus again can "
        "list every one: `footnote corpus inspect`.",
        table(rows, columns) or "No file is on record as left out.",
    ]


def _evaluation(corpus: CorpusRecord) -> list[str]:
    dropped = {row["reason"]: row["files"] for row in corpus.statistics["dropped"]}
    parts = ["## Kept apart from evaluation"]
    if corpus.recipe is None or corpus.parameters is None:
        return [*parts, "Which packages were held out, and which benchmarks were looked for, is not "
                "recorded for this corpus."]  # fmt: skip
    held_out = ", ".join(f"{each.name} {each.version}" for each in corpus.recipe.held_out)
    copies = sum(dropped.get(name, 0) for name in ("held_out", "near_held_out", "held_out_folder"))
    rules = corpus.parameters
    return [
        *parts,
        f"Held out as whole packages: {held_out or 'none'}. Copies of their files inside other "
        f"packages, exact or near, were dropped as well: {copies:,} files.",
        f"A file was dropped when it holds {rules.benchmark_share:.0%} or more of the windows of "
        f"{rules.benchmark_gram} words of any of {corpus.benchmark_exercises:,} texts (prompts, "
        "solutions, docstrings) of public benchmarks, which are compared as hashes: "
        f"{dropped.get('benchmark', 0):,} files. Texts of fewer words are not looked for, and the "
        "names of the benchmarks do not stand in the hashes.",
    ]


def _redaction(values: Mapping[str, Any]) -> list[str]:
    rows = [{"kind": kind, "places": number} for kind, number in values["redactions"].items()]
    return [
        "## Personal information",
        "E-mail addresses, public IP addresses and keys were found by rules and replaced before "
        "training; names of people, user names and passwords in prose were not looked for by rule. "
        "Rules miss some and take others for what they are not.",
        table(rows, {"kind": "kind", "places": "places replaced"})
        or "No replacement is on record.",
    ]


def _opt_out(contact: str, *, known: bool) -> list[str]:
    ask = (
        f"Write to: {contact}. Name the package, or the paths in it."
        if contact
        else "The publisher of this release has named no address for such wishes."
    )
    parts = ["## Opting out"]
    if known:
        parts.append(
            "Whether a package, path or file is in the corpus: `footnote lookup NAME|FILE`."
        )
    return [
        *parts,
        f"To have code left out of the next corpus and model: {ask}",
        "Whoever builds the corpus leaves it out with `footnote corpus optout PACKAGE`, which the "
        "next `footnote corpus build` counts under `opted_out`. A model that is out already cannot "
        "be made to forget; only a new one can be trained without it.",
    ]


def sources_csv(corpus: CorpusRecord) -> str:
    """All packages with version, licence, address, hash and what was kept of them."""
    columns = ("kind", "name", "version", "license", "documents", "bytes", "url", "sha256")
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(corpus.manifest.meta.get("packages", ()))
    return text.getvalue()
