"""Fast answers equal slow ones: the index against comparing everything, pages against whole files."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from indexer.attribution.builder import build_index
from indexer.attribution.fingerprints import FORMS, Form
from indexer.attribution.lexing import lexer_of
from indexer.attribution.library import Library
from indexer.attribution.tokens import PROSE
from indexer.shards import slices
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER, document, write_corpus

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from indexer.attribution.schema import IndexInfo
    from indexer.document import Document


def long_file(seed: int) -> str:
    """Hundreds of lines in which strings and remarks run over the borders of pages."""
    rng = Random(seed)
    parts = [
        CLUSTER,
        LEDGER,
        '"""A long\n' + "remark\n" * 150 + '"""\n',
        "x = '''\n" + "text\n" * 130 + "'''\n",
    ]
    return "".join(rng.choice(parts) + f'value_{n} = {n}\n# it\'s """ quoted\n' for n in range(12))


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    texts = [CLUSTER, LEDGER, FOREIGN, *map(long_file, range(3))]
    return [document(text, f"file_{n}.py", f"package{n}") for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> Library:
    home = tmp_path_factory.mktemp("equivalence")
    write_corpus(home, documents)
    build_index(home / "corpus", home / "index", jobs=1)
    return Library(home / "index")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_index_notices_every_long_common_run_that_comparing_everything_finds(
    library: Library, documents: list[Document], form: Form
) -> None:
    lexer = lexer_of("python")
    tokens = lexer.tokens(FOREIGN + LEDGER[:300] + CLUSTER[200:900] + long_file(7)[:4000])
    asked = form.grams(tokens)
    hits = library.hits(tokens, abstract=True)
    noticed = set(hits.starts.tolist())
    corpus = [form.grams(lexer.tokens(each.text)).hashes for each in documents]
    common = np.isin(asked.hashes, np.concatenate(corpus))
    # A run of `window` common grams is a run of `guarantee` common tokens.
    for start in range(len(common) - form.window + 1):
        run = asked.starts[start : start + form.window].tolist()
        together = any(
            _contains(each, asked.hashes[start : start + form.window]) for each in corpus
        )
        if common[start : start + form.window].all() and together:
            # Grams that come often are looked up a few times only, so their first places stand for them.
            assert noticed & set(run) or _repeats(asked.hashes, start, form.window)


def _contains(corpus: np.ndarray, part: np.ndarray) -> bool:
    places = np.flatnonzero(corpus == part[0])
    return any(np.array_equal(corpus[at : at + len(part)], part) for at in places)


def _repeats(hashes: np.ndarray, start: int, window: int) -> bool:
    return any((hashes == value).sum() > 4 for value in hashes[start : start + window])


def test_a_passage_read_by_pages_has_the_tokens_of_the_whole_file(
    library: Library, documents: list[Document]
) -> None:
    lexer = lexer_of("python")
    for number, each in enumerate(documents):
        whole = lexer.tokens(each.text)
        file = library.catalogue.file(number)
        for first in range(0, file.lines, 37):
            part = library.passage(file, first, first + 60)
            inside = (whole.lines >= first) & (whole.lines < first + 60)
            code = inside & (whole.kinds != PROSE)
            assert part.lines[part.kinds != PROSE].tolist() == whole.lines[code].tolist()
            assert part.exact[part.kinds != PROSE].tolist() == whole.exact[code].tolist()


def recorded(info: IndexInfo | None, but: Collection[str] = ()) -> dict[str, object]:
    """The files of an index; tantivy names its own anew each time."""
    assert info is not None
    left = {name for name in info.files if name.startswith("chunks/")} | set(but)
    return {name: each for name, each in info.files.items() if name not in left}


def test_two_processes_build_what_one_builds(
    tmp_path: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.shards._BATCH_BYTES", 1000)
    write_corpus(tmp_path, documents)
    assert len(slices(tmp_path / "corpus")) > 2
    alone = build_index(tmp_path / "corpus", tmp_path / "one", jobs=1)
    together = build_index(tmp_path / "corpus", tmp_path / "two", jobs=2)

    assert recorded(alone) == recorded(together)


def test_an_index_merged_from_parts_is_that_of_one_part(
    tmp_path: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path, documents)
    whole = build_index(tmp_path / "corpus", tmp_path / "one", jobs=1)
    monkeypatch.setattr("indexer.shards._BATCH_BYTES", 1000)
    monkeypatch.setattr("indexer.attribution.merging._RANGE_ENTRIES", 50)
    write_corpus(tmp_path, documents)
    parted = build_index(tmp_path / "corpus", tmp_path / "two", jobs=1)

    blocks = {"files.npy", "text.blocks", "text.ends"}  # cut elsewhere
    assert recorded(whole, but=blocks) == recorded(parted, but=blocks)
    for number, each in enumerate(documents):
        library = Library(tmp_path / "two")
        assert library.text(library.catalogue.file(number)) == each.text
