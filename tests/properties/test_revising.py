"""Looking up what was edited gives what looking up the whole text gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import AttributionIndex
from indexer.attribution.builder import build_index
from indexer.attribution.revising import edit_of, revised
from tests.indexer.attribution.conftest import CLUSTER, LEDGER, document, write_corpus
from tests.support.tiny_corpus import INTERVALS, RENAMED

if TYPE_CHECKING:
    from indexer import Match


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> AttributionIndex:
    home = tmp_path_factory.mktemp("revising")
    texts = [CLUSTER, LEDGER, INTERVALS]
    write_corpus(home, [document(text, f"{n}.py", f"p{n}") for n, text in enumerate(texts)])
    build_index(home / "corpus", home / "index", jobs=1)
    return AttributionIndex.open(home / "index")


def filler(number: int) -> str:
    return (
        f"def step_{number}(first, second_{number}):\n"
        + "".join(
            f"    part_{number}_{at} = first.field_{at * number % 31} + {at}\n" for at in range(45)
        )
        + "\n\n"
    )


COPIES = st.permutations([CLUSTER, LEDGER, INTERVALS, RENAMED])
NEW = st.sampled_from(
    [
        "x = 1\n",
        "\n",
        "    value = other(value)\n" * 3,
        '"""\n',
        "# note\n",
        "# @generated\n",
        INTERVALS,
        filler(99),
    ]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), NEW, st.booleans()), min_size=1, max_size=3
)


@settings(max_examples=40, deadline=None)
@given(copies=COPIES, n_copies=st.integers(0, 3), edits=EDITS, near=st.booleans())
def test_an_edited_text_has_the_matches_of_the_whole(
    index: AttributionIndex,
    copies: list[str],
    n_copies: int,
    edits: list[tuple[float, int, str, bool]],
    near: bool,
) -> None:
    text = "".join(filler(n) * (1 if near else 3) for n in range(2))
    for number, copy in enumerate(copies[:n_copies]):
        text += copy + "\n\n" + filler(10 + number) + ("" if near else filler(20 + number) * 2)
    lines = text.splitlines(keepends=True)
    matches = check(index, text)
    for where, deleted, new, adds in edits:
        at = int(where * len(lines))
        changed = [
            *lines[:at],
            *(new.splitlines(keepends=True) if adds else []),
            *lines[at + deleted :],
        ]
        found = revised(lines, matches, changed, lambda part: check(index, part), language="python")
        whole = check(index, "".join(changed))
        assert found is None or found == whole
        lines, matches = changed, whole


def check(index: AttributionIndex, text: str) -> list[Match]:
    return index.check_document(text, language="python")


def test_little_is_looked_up_where_little_changed(index: AttributionIndex) -> None:
    text = "".join(filler(n) for n in range(20)) + INTERVALS + "".join(map(filler, range(30, 40)))
    lines = text.splitlines(keepends=True)
    asked: list[str] = []

    def watched(part: str) -> list[Match]:
        asked.append(part)
        return check(index, part)

    (match,) = check(index, text)
    changed = ["import os\n", *lines[:100], "y = 2\n", *lines[101:]]
    (moved,) = revised(lines, [match], changed, watched, language="python") or []

    assert moved.start_line == match.start_line + 1
    assert len(asked) == 1
    assert asked[0].count("\n") < 240
    assert revised(lines, [match], lines, watched, language="python") == [match]
    assert len(asked) == 1


@pytest.mark.parametrize("change", ['"""\n', "x = '''\n"])
def test_all_is_looked_up_where_the_rest_reads_otherwise(
    index: AttributionIndex, change: str
) -> None:
    lines = ("".join(map(filler, range(20))) + INTERVALS).splitlines(keepends=True)
    changed = [change, *lines]

    def never(_part: str) -> list[Match]:
        raise AssertionError

    assert revised(lines, [], changed, never, language="python") is None


@pytest.mark.parametrize(
    ("before", "after", "head", "tail"),
    [("abc", "abc", 3, 0), ("abc", "axc", 1, 1), ("aa", "aaa", 2, 0), ("abab", "ab", 2, 0), ("", "a", 0, 0)],
)  # fmt: skip
def test_what_stayed_at_both_ends_is_found(before: str, after: str, head: int, tail: int) -> None:
    edit = edit_of(before, after)

    assert (edit.head, edit.tail) == (head, tail)
    assert (
        before[: edit.head]
        + after[edit.head : len(after) - edit.tail]
        + before[len(before) - edit.tail :]
        == after
    )
