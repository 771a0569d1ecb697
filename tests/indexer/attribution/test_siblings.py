"""Of files of one mould, alike but for their names, the one that was copied is named."""

from __future__ import annotations

import re

import pytest

from indexer.attribution.builder import build_index
from indexer.attribution.index import AttributionIndex
from tests.indexer.attribution.conftest import FOREIGN, LEDGER, document, write_corpus

KINDS = "almanac bursary cartulary docket escrow folio".split()


def sibling(kind: str) -> str:
    """The same function about something else: other names, the same attributes."""
    return re.sub(r"\b(ledger|entries|entry|booked)\b", rf"{kind}_\1", LEDGER)


@pytest.fixture(scope="module")
def moulded(tmp_path_factory: pytest.TempPathFactory) -> AttributionIndex:
    home = tmp_path_factory.mktemp("moulded")
    write_corpus(home, [document(sibling(each), f"books/{each}.py", "books") for each in KINDS])
    build_index(home / "corpus", home / "index", jobs=1)
    return AttributionIndex.open(home / "index")


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_of_the_file_whose_names_it_has(moulded: AttributionIndex, kind: str) -> None:
    (match,) = moulded.check_document(f"{FOREIGN}\n\n{sibling(kind)}", language="python")

    assert (match.source.path, match.kind) == (f"books/{kind}.py", "verbatim")


@pytest.mark.parametrize("kind", KINDS)
def test_a_renamed_copy_is_of_the_file_whose_other_names_it_has(
    moulded: AttributionIndex, kind: str
) -> None:
    copy = re.sub(r"\b(total|account|wrong|totals)\b", r"my_\1", sibling(kind))
    (match,) = moulded.check_document(f"{FOREIGN}\n\n{copy}", language="python")

    assert (match.source.path, match.kind) == (f"books/{kind}.py", "renamed")
