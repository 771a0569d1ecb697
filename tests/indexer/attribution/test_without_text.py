"""An index of hashes and places alone: it finds what the other finds, and holds nobody's text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from indexer.attribution import token_store
from indexer.attribution.builder import Plan, build_index
from indexer.attribution.index import AttributionIndex
from indexer.attribution.lexing import lexer_of
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER, QUEUE

if TYPE_CHECKING:
    from pathlib import Path

NEAREST = CLUSTER[CLUSTER.index("def nearest") : CLUSTER.index("\n\nclass")]
RENAMED = re.sub(r"\b(points|centres|found|best|smallest|gap|members)\b", r"my_\1", NEAREST)
EDITED = "".join(
    "    audit(ledger, step=3)\n" if n % 6 == 5 else line
    for n, line in enumerate(LEDGER.splitlines(keepends=True))
)
TEXTS = {
    "verbatim": ("python", FOREIGN + NEAREST),
    "renamed": ("python", FOREIGN + RENAMED),
    "edited": ("python", FOREIGN + EDITED),
    "script": ("typescript", QUEUE.replace("'", '"')),
    "foreign": ("python", FOREIGN),
}


@pytest.fixture(scope="module")
def folder(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("without") / "index"
    build_index(built_home / "corpus", folder, Plan(jobs=1, text=False))
    return folder


@pytest.mark.parametrize("name", TEXTS)
def test_it_finds_what_an_index_with_texts_finds(
    index: AttributionIndex, folder: Path, name: str
) -> None:
    language, text = TEXTS[name]
    without = AttributionIndex.open(folder).check_document(text, language=language)

    assert without == index.check_document(text, language=language)


def test_a_completion_is_judged_alike(index: AttributionIndex, folder: Path) -> None:
    lines = LEDGER.splitlines(keepends=True)
    asked = (FOREIGN + "".join(lines[:4]), "".join(lines[4:9]), "")
    without = AttributionIndex.open(folder).check_completion(*asked, language="python")

    assert without
    assert without == index.check_completion(*asked, language="python")


def test_there_is_no_text_to_show_but_everything_to_look_up(folder: Path) -> None:
    index = AttributionIndex.open(folder)
    (match,) = index.check_document(LEDGER, language="python")

    assert index.source_text(match.source) is None
    assert index.lookup_text(QUEUE)[0].path == "src/retry.js"
    assert index.lookup("books").packages[0].bytes == len("import os\n" + LEDGER)
    assert index.info().text is False


def test_it_holds_neither_texts_nor_names(folder: Path) -> None:
    stored = token_store_bytes = b""
    for path in folder.rglob("*"):
        if path.is_file():
            stored += path.read_bytes()
    index = AttributionIndex.open(folder)
    for number in range(len(index._library.catalogue)):
        place = index._library.catalogue.place(number)
        token_store_bytes += index._library._stored.read(*place)

    for word in (b"nearest_centres", b"close_ledger", b"onFailure", b"Groups points"):
        assert word not in stored + token_store_bytes


def test_tokens_come_back_as_they_can_be_compared() -> None:
    text = CLUSTER + "\n" * 300 + LEDGER
    tokens = lexer_of("python").tokens(text)
    codes, lines = token_store.decode(token_store.encode(tokens))
    same = token_store.tokens_of(codes, lines, token_store.ids_like(tokens))
    other = token_store.tokens_of(
        codes, lines, token_store.ids_like(lexer_of("python").tokens(FOREIGN))
    )

    assert lines.tolist() == tokens.lines.tolist()
    assert same.kinds.tolist() == tokens.kinds.tolist()
    assert np.mean(same.exact == tokens.exact) > 0.97  # a code stands for several
    assert (same.abstract == tokens.abstract)[same.exact == tokens.exact].all()
    assert set(other.exact.tolist()) & set(tokens.exact.tolist())  # what both have: marks, keywords
    assert not (other.exact == tokens.exact).all()


def test_no_tokens_are_no_tokens() -> None:
    nothing = lexer_of("python").tokens("")
    codes, lines = token_store.decode(token_store.encode(nothing))

    assert len(codes) == len(lines) == 0
