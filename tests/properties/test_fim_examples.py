"""Training examples: parts make the document again, middles stay whole, whatever the document."""

import ast
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
    is_table,
    make_example,
)
from trainer.nodes import nodes_near, nodes_within
from trainer.repository import Other
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
    return Piece(text, 0, "a.py", language, is_end=True, package="pack")


@given(TEXTS, SEEDS, st.sampled_from(ONLY), st.sampled_from(["python", "javascript"]))
def test_every_law_cuts_a_middle_that_is_not_empty(text, seed, spans, language):
    start, end = choose_span(
        piece_of(text, language),
        nodes_within(text, language, (0, len(text)), Random(seed)),
        spans,
        Random(seed),
    )

    assert 0 <= start < end <= len(text)
    assert end - start <= spans.max_middle


PROGRAM = '''\
import os

@cached
class Shape(Base):
    """Naïve."""

    def area(self, scale=1.0):
        if not self.sides:
            return 0
        else:
            scale += 1  # not less
        return sum(each.length for each in self.sides) * scale

    def name(self): return "é" + self.kind[2]

if __name__ == "__main__":
    print(Shape().area(), "\N{GRINNING FACE}")
    for each in (
        1,
    ):
        pass
'''


def test_nodes_of_python_are_whole_nodes_of_what_the_place_is_in():
    def near(marker: str) -> list[str]:
        place = PROGRAM.index(marker)
        return [PROGRAM[a:b] for a, b in nodes_near(PROGRAM, "python", place)]

    assert {'"é" + self.kind[2]', "self.kind", 'return "é" + self.kind[2]'} <= set(near("kind"))
    assert {"self.sides", "each.length"} <= set(near("each.length"))
    assert not any("kind" in node for node in near("each.length"))
    assert {"Shape().area()", '"\N{GRINNING FACE}"'} <= set(near("Shape()"))
    assert "import os" in near("import")
    assert any(node.startswith("for each in (\n") for node in near("pass"))


def test_nodes_near_any_place_are_nodes_of_the_whole_program():
    lines = PROGRAM.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def offset(number, column):
        return starts[number - 1] + len(lines[number - 1].encode()[:column].decode())

    whole = set()
    for node in ast.walk(ast.parse(PROGRAM)):
        for first, last in ((node, node), *bodies(node)):
            if isinstance(first, (ast.expr, ast.stmt)):
                end = offset(last.end_lineno, last.end_col_offset)
                whole.add((offset(first.lineno, first.col_offset), end))

    for place in range(len(PROGRAM)):
        assert set(nodes_near(PROGRAM, "python", place)) <= whole


def bodies(node):
    body = getattr(node, "body", None)
    return [(body[0], body[-1])] if isinstance(body, list) and isinstance(node, ast.stmt) else []


def test_lines_that_do_not_parse_still_have_brackets_and_quotes():
    text = "def f():\n    s = (1, '''\nnot indented\n''')\n    return [2, 3]\n"

    found = nodes_near(text, "python", text.index("[2"))

    assert "2, 3" in [text[a:b] for a, b in found]


def test_nodes_of_other_languages_are_what_brackets_and_quotes_hold():
    text = "const a = f(x, [1, 2], 'word');\nif (b) { g(); }\n"

    found = [text[a:b] for a, b in nodes_near(text, "javascript", 12)]

    assert found == ["x, [1, 2], 'word'", "1, 2", "word", "b", " g(); "]


@given(text=TEXTS, seed=SEEDS)
@settings(deadline=None)
def test_prefix_middle_and_suffix_make_the_document_again(words, tokenizer, text, seed):
    spans = SpanRecipe(fim_rate=1.0, spm_rate=0.0)
    tokens = make_example(
        piece_of(text),
        nodes_within(text, "python", (0, len(text)), Random(seed)),
        words,
        spans=spans,
        layout=FimLayout(),
        limit=8000,
        rng=Random(seed),
    )

    parsed = parse(FimLayout(), tokens, words.ids, order="psm")

    parts = (parsed.prefix, parsed.middle, parsed.suffix)
    assert "".join(tokenizer.decode(each, skip_special_tokens=False) for each in parts) == text


@given(
    text=TEXTS,
    seed=SEEDS,
    limit=st.integers(min_value=200, max_value=2000),
    others=st.lists(st.builds(Other, st.just("b/c.py"), TEXTS, st.just(0)), max_size=3),
    spm_rate=st.sampled_from([0.0, 1.0]),
)
@settings(deadline=None)
def test_an_example_of_a_repository_can_be_taken_apart(
    words, tokenizer, text, seed, limit, others, spm_rate
):
    spans = SpanRecipe(fim_rate=1.0, spm_rate=spm_rate, package_rate=1.0, max_middle=12)
    tokens = make_example(
        piece_of(text),
        nodes_within(text, "python", (0, len(text)), Random(seed)),
        words,
        spans=spans,
        layout=FimLayout(),
        limit=limit,
        rng=Random(seed),
        others=iter(others),
    )
    order = "spm" if spm_rate else "psm"
    parsed = parse(FimLayout(), tokens, words.ids, order=order, prefix_length=1 << 20)

    def decode(ids):
        return tokenizer.decode(ids, skip_special_tokens=False)

    assert len(tokens) <= limit
    assert tokens.count(words.ids.end) == 1
    assert (decode(parsed.repository), decode(parsed.path)) == ("pack", "a.py")
    whole = decode(parsed.prefix) + decode(parsed.middle) + decode(parsed.suffix)
    assert sorted(whole) == sorted(text) or len(tokens) == limit
    shown = [decode(each) for _, each in parsed.files]
    assert all(any(part in other.text or "\ufffd" in part for other in others) for part in shown)
    assert all(decode(path) == "b/c.py" for path, _ in parsed.files)
    useful = [other.text for other in others if not is_table(other.text)]
    if limit > 1500 and len(text) < 100 and useful and len(useful[0]) < 200:
        assert shown[-1] == useful[0]  # the most telling file stands last


@given(text=TEXTS, seed=SEEDS, limit=st.integers(min_value=64, max_value=128))
@settings(deadline=None)
def test_a_middle_is_never_cut_and_always_ended(words, text, seed, limit):
    spans = SpanRecipe(fim_rate=1.0, spm_rate=0.0, path_rate=0.0, package_rate=0.0, max_middle=12)
    chosen = {}

    def record(piece_text: str) -> list[int]:
        chosen.setdefault("order", []).append(piece_text)
        return words.encode(piece_text)

    tokens = make_example(
        piece_of(text),
        nodes_within(text, "python", (0, len(text)), Random(seed)),
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
        nodes_within(text, "python", (0, len(text)), Random(seed)),
        words,
        spans=SpanRecipe(single_line=1, block=0, node=0, random=0, fim_rate=1.0),
        layout=FimLayout(),
        limit=64,
        rng=Random(seed),
    )

    assert len(tokens) <= 64
    if words.ids.middle not in tokens:  # plain, and its document goes on after the row
        assert tokens[-1] == words.pad


@pytest.mark.parametrize("path_rate", [0.0, 0.5])
@pytest.mark.parametrize("package_rate", [0.0, 0.25, 1.0])
def test_a_files_path_and_its_packages_name_are_given_at_rates_of_their_own(
    words, path_rate, package_rate
):
    spans = SpanRecipe(path_rate=path_rate, package_rate=package_rate)
    rng = Random(7)
    seen = {(False, False): 0, (False, True): 0, (True, False): 0, (True, True): 0}
    for _ in range(2000):
        tokens = make_example(
            piece_of("a = 1\nb = 2\n"),
            list,
            words,
            spans=spans,
            layout=FimLayout(),
            limit=64,
            rng=rng,
        )
        seen[words.ids.file_name in tokens, words.ids.repo_name in tokens] += 1

    for (path, package), count in seen.items():
        share = (path_rate if path else 1 - path_rate) * (
            package_rate if package else 1 - package_rate
        )
        assert count == pytest.approx(2000 * share, abs=80)


def test_a_layout_of_one_order_gets_only_that_order(words):
    layout = FimLayout(spm=())
    for seed in range(40):
        tokens = make_example(
            piece_of("a = 1\nb = 2\n"),
            list,
            words,
            spans=SpanRecipe(fim_rate=1.0, spm_rate=1.0),
            layout=layout,
            limit=64,
            rng=Random(seed),
        )
        assert parse(layout, tokens, words.ids, order="psm").middle
