"""The compiled lexer reads any text exactly as the one of regular expressions does, in every family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.attribution.compiled import CompiledLexer
from indexer.attribution.families import FAMILIES, PYTHON, SCRIPT, Family
from indexer.attribution.lexing import lexer_of_family
from indexer.attribution.native.building import library
from indexer.attribution.patterns import PatternLexer
from indexer.attribution.tokens import bytes_id
from tests.indexer.attribution.conftest import CLUSTER, LEDGER, QUEUE
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from indexer.attribution.tokens import Reading

LIBRARY = library()
if LIBRARY is None:
    pytest.skip("the lexer was not compiled", allow_module_level=True)

# What the tables look for, and what comes close to it.
PIECES = (
    "\n", " ", "\t", "\r", "\f", "\0", "\\", "\\\n", "\\n", "'", '"', '"""', "'''", "`", "#", "//", "/*", "*/",
    "--", "--[[", "]]", "<!--", "-->", "<#", "#>", "<<", "<<<", "<<EOF", "<<-'EOF'\n", "EOF", "EOF2", "\nEOF\n",
    'R"(', 'R"tag(', ')tag"', ')"', 'r#"', '"#', 'br##"', '"##', "r'", 'b"', 'f"{', "L'a'", "'\\u{1F600}'", "'a",
    "'é'", "'日", '="', "='", "$\"", '@"', "$#", "a#b", "#[", "::", "->", "@", "$", "?.", "=/", "/[", "/]/g", "=/a/",
    "return /", "${x}", "(", ")", "[", "]", "{", "}", ",", ",)", ":", ";", ".", "=", "==", "x", "name", "self", "SELECT",
    "select", "print", "len", "import", "return", "if", "0x1F", "1_000", "1'000'000", "3.5e-3", "ünïcode", "日本", "\ud800",
    "\u2028", "\xa0", "<script>", "</script>", "<style lang='x'>", "</style", "word" * 9, "  ", "\n\n    ",
)  # fmt: skip

OURS = [
    (ROOT / name).read_text("utf-8")
    for name in ("README.md", "pyproject.toml", "Makefile", "engine/native/kernel.c")
]

texts = st.one_of(
    st.text(),
    st.text(st.characters(codec=None, max_codepoint=0x7F)),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


def both(family: Family, text: str) -> tuple[Reading, Reading]:
    data = text.encode("utf-8", "surrogatepass")
    assert LIBRARY is not None
    compiled, patterns = CompiledLexer(family, LIBRARY), PatternLexer(family)
    assert compiled.open(data) == patterns.open(data)
    return compiled.read(data), patterns.read(data)


def assert_same(one: Reading, other: Reading) -> None:
    for column in ("kinds", "lines", "sizes", "exact", "abstract"):
        ours, theirs = getattr(one.tokens, column), getattr(other.tokens, column)
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert one.starts.tolist() == other.starts.tolist()
    assert one.ends.tolist() == other.ends.tolist()


@settings(max_examples=80, deadline=None)
@given(text=texts)
def test_any_text_is_read_alike(family: Family, text: str) -> None:
    assert_same(*both(family, text))


@settings(max_examples=20, deadline=None)
@given(
    sample=st.sampled_from([CLUSTER, LEDGER, QUEUE, *OURS]),
    places=st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 9), st.sampled_from(PIECES)), max_size=8),
)  # fmt: skip
def test_a_file_that_somebody_is_changing_is_read_alike(
    family: Family, sample: str, places: list[tuple[int, int, str]]
) -> None:
    text = sample[:6000]
    for at, removed, put in places:
        text = text[:at] + put + text[at + removed :]

    assert_same(*both(family, text))


@pytest.mark.parametrize(
    "piece", ["x", "'", "=/", "=/[", "<<EOF ", "'\\", '""" ', "<script", "((", "a,)", "#", "/* "]
)
@pytest.mark.parametrize("family", [PYTHON, SCRIPT], ids=["python", "script"])
def test_a_long_line_is_read_alike(family: Family, piece: str) -> None:
    assert_same(*both(family, piece * (60_000 // len(piece))))


@given(text=texts)
def test_every_token_is_where_it_says(family: Family, text: str) -> None:
    reading = lexer_of_family(family).read(text)

    assert (reading.starts < reading.ends).all()
    assert (np.diff(reading.starts) > 0).all()
    assert (np.diff(reading.tokens.lines) >= 0).all()
    before = reading.data[: reading.starts[-1]] if len(reading.tokens) else b""
    assert not len(reading.tokens) or reading.tokens.lines[-1] == before.count(b"\n")


@given(words=st.lists(st.binary(max_size=20), unique=True, max_size=60))
def test_other_bytes_have_another_id(words: list[bytes]) -> None:
    assert len({bytes_id(word) for word in words}) == len(words)
