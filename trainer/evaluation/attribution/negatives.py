"""Texts that nobody copied from the corpus, as far as is known: what is flagged in them is to be read."""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

from indexer.document import Document
from trainer.evaluation.attribution.checking import Probe
from trainer.evaluation.attribution.others import Other
from trainer.evaluation.attribution.passages import SCRIPTS

WINDOW_LINES = (5, 10, 20)
_CODE = ("python", *SCRIPTS)
_BOILERPLATE = Path(__file__).with_name("boilerplate.txt")
_LARGEST = 200_000  # characters


def whole_files(documents: Sequence[Document]) -> list[Probe]:
    """Held-out files as they are."""
    return [
        _whole(each, "tests" if _is_test(each.path) else "files")
        for each in documents
        if each.language in _CODE
    ]


def of_packages(others: Iterable[Other]) -> list[Probe]:
    """Files of packages that neither the corpus has nor anybody held out for it."""
    return [_whole(each, "other packages") for each in others]


def _whole(file: Document | Other, group: str) -> Probe:
    return Probe(
        f"{file.package}/{file.path}",
        group,
        file.package,
        file.language,
        file.path,
        "",
        file.text,
        "",
        is_completion=False,
    )


def _is_test(path: str) -> bool:
    return any(part.lower().startswith(("test", "__test")) for part in path.split("/")) or (
        ".test." in path
    )


def windows(
    documents: Sequence[Document],
    count: int,
    rng: Random,
    lengths: Sequence[int] = WINDOW_LINES,
) -> list[Probe]:
    """`count` completions of each length, cut out of held-out files with what is around them.

    Packages in turn, so that a large one does not decide.
    """
    by_package: dict[str, list[Document]] = {}
    for each in documents:
        if each.language in _CODE and len(each.text) <= _LARGEST:
            by_package.setdefault(each.package, []).append(each)
    packages = sorted(by_package)
    found: list[Probe] = []
    for length in lengths:
        for number in range(count if packages else 0):
            document = rng.choice(by_package[packages[number % len(packages)]])
            probe = _window(document, length, rng)
            if probe:
                found.append(probe)
    return found


def _window(document: Document, length: int, rng: Random) -> Probe | None:
    rows = document.text.splitlines(keepends=True)
    full = [number for number, row in enumerate(rows) if row.strip()]
    if len(full) < length + 2:
        return None
    first = rng.randrange(len(full) - length)
    start, end = full[first], full[first + length - 1] + 1
    return Probe(
        f"{document.package}/{document.path}:{start + 1}",
        f"completions of {length} lines",
        document.package,
        document.language,
        document.path,
        "".join(rows[:start]),
        "".join(rows[start:end]),
        "".join(rows[end:]),
        is_completion=True,
    )


def boilerplate() -> list[Probe]:
    """What everybody writes alike, licence headers and tables: written for this, from memory."""
    return [
        Probe(name, kind, kind, language, "", "", text, "", is_completion=False)
        for kind, name, language, text in _sections(_BOILERPLATE.read_text(encoding="utf-8"))
    ]


def _sections(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Sections begin with a line `=== kind | name | language`."""
    for section in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = section.partition("\n")
        kind, name, language = (each.strip() for each in head.split("|"))
        yield kind, name, language, body.strip("\n") + "\n"


def solutions(paths: Sequence[Path]) -> list[Probe]:
    """Solutions to tasks, each written without the corpus.

    Files hold lines of JSON with `code`, or with `prompt` and `canonical_solution`, and may be packed with
    gzip. ValueError names a file without any.
    """
    found = []
    for path in paths:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        texts = [_solution(each) for each in rows]
        if not any(texts):
            raise ValueError(f"{path} has neither `code` nor `canonical_solution` in its lines")
        for number, text in enumerate(texts):
            name = f"{path.name}:{number + 1}"
            if text:
                found.append(
                    Probe(name, "solutions", name, "python", "", "", text, "", is_completion=False)
                )
    return found


def _solution(row: object) -> str:
    if not isinstance(row, dict):
        return ""
    code = row.get("code") or row.get("canonical_solution") or ""
    return f"{row.get('prompt', '')}{code}" if "canonical_solution" in row else str(code)
