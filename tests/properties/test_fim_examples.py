"""Training examples: parts make the document again, middles stay whole, whatever the document."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.fim import FimLayout, parse
from trainer.config import SpanRecipe
from trainer.examples import (
    Piece,
    Vocabulary,
    choose_span,
    crop,
    cut_document,
    lazily_nodes,
    make_example,
)
from trainer.vocabulary import learn, vocabulary_of

TEXTS = st.one_of(
    st.text(min_size=1, max_size=400),
    st.lists(
        st.sampled_from(
            [
                "def f(a, b):\n",
                "    return a.b(c)\n",
                "\n",
                "x = [1,\n",
                "  2]\n",
                "\t\té=1\n",
                "<fim_middle>",
            ]
        ),
        min_size=1,
        max_size=30,
    ).map("".join),
)
SEEDS = st.integers(min_value=0, max_value=2**32)
ONLY = [
    SpanRecipe(single_line=a, block=b, node=c, random=d)
    for a, b, c, d in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
]


@pytest.fixture(scope="module")
def tokenizer():
    return learn(["def f(a, b):\n    return a.b(c)\n" * 20], 300)


@pytest.fixture(scope="module")
def words(tokenizer) -> Vocabulary:
    return vocabulary_of(tokenizer, FimLayout())


def piece_of(text: str, language: str = "python") -> Piece:
    return Piece(text=text, start=0, path="a.py", language=language, is_end=True)


@given(TEXTS, SEEDS, st.sampled_from(ONLY), st.sampled_from(["python", "javascript"]))
def test_every_law_cuts_a_middle_that_is_not_empty(text, seed, spans, language):
    start, end = choose_span(
        piece_of(text, language), lazily_nodes(text, language), spans, Random(seed)
    )

    assert 0 <= start < end <= len(text)
    assert end - start <= spans.max_middle


@given(text=TEXTS, seed=SEEDS)
@settings(deadline=None)
def test_prefix_middle_and_suffix_make_the_document_again(words, tokenizer, text, seed):
    spans = SpanRecipe(fim_rate=1.0, spm_rate=0.0)
    tokens = make_example(
        piece_of(text),
        lazily_nodes(text, "python"),
        words,
        spans=spans,
        layout=FimLayout(),
        limit=8000,
        rng=Random(seed),
    )

    parsed = parse(FimLayout(), tokens, words.ids, order="psm")

    parts = (parsed.prefix, parsed.middle, parsed.suffix)
    assert "".join(tokenizer.decode(each, skip_special_tokens=False) for each in parts) == text


@given(text=TEXTS, seed=SEEDS, limit=st.integers(min_value=64, max_value=128))
@settings(deadline=None)
def test_a_middle_is_never_cut_and_always_ended(words, text, seed, limit):
    spans = SpanRecipe(fim_rate=1.0, spm_rate=0.0, path_rate=0.0, max_middle=12)
    chosen = {}

    def record(piece_text: str) -> list[int]:
        chosen.setdefault("order", []).append(piece_text)
        return words.encode(piece_text)

    tokens = make_example(
        piece_of(text),
        lazily_nodes(text, "python"),
        Vocabulary(encode=record, ids=words.ids, pad=words.pad),
        spans=spans,
        layout=FimLayout(),
        limit=limit,
        rng=Random(seed),
    )
    middle = words.encode(chosen["order"][1])

    assert len(tokens) <= limit
    assert tokens[-len(middle) - 1 :] == [*middle, words.ids.end]
    assert middle


@given(
    st.lists(st.integers(), max_size=40),
    st.lists(st.integers(), max_size=40),
    st.integers(min_value=0, max_value=60),
)
def test_cropping_keeps_what_is_next_to_the_gap(prefix, suffix, room):
    left, right = crop(prefix, suffix, room)

    assert len(left) + len(right) == min(room, len(prefix) + len(suffix))
    assert prefix[len(prefix) - len(left) :] == left
    assert suffix[: len(right)] == right


@given(TEXTS, SEEDS, st.integers(min_value=8, max_value=200))
def test_pieces_cover_the_document_once(text, seed, size):
    pieces = cut_document(text, size, Random(seed))

    assert "".join(text[start:end] for start, end in pieces) == text


@given(SEEDS)
def test_a_middle_of_emoji_that_no_row_can_hold_becomes_a_plain_example(words, seed):
    text = "x = '" + "\N{GRINNING FACE}\N{GOTHIC LETTER AHSA}" * 300 + "'\n"
    tokens = make_example(
        piece_of(text),
        lazily_nodes(text, "python"),
        words,
        spans=SpanRecipe(single_line=1, block=0, node=0, random=0, fim_rate=1.0),
        layout=FimLayout(),
        limit=64,
        rng=Random(seed),
    )

    assert len(tokens) <= 64
    if words.ids.middle not in tokens:  # plain, and its document goes on after the row
        assert tokens[-1] == words.pad
