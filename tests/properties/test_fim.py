"""Whatever the texts are, a rendered prompt can be taken apart again and loses nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fim import (
    FimLayout,
    SentinelIds,
    layout_from_json,
    layout_to_json,
    parse,
    render,
    sentinel_ids,
)

IDS = SentinelIds(
    prefix=1, suffix=3, middle=2, end=0, file_name=6, newline=(200,), repo_name=5, file_sep=8
)
TOKENS = st.lists(st.integers(min_value=16, max_value=199), max_size=12)
TEXTS = st.lists(st.integers(min_value=16, max_value=200), max_size=12)  # line ends among them
FILES = st.lists(st.tuples(TOKENS, TEXTS), max_size=3)
LAYOUTS = st.sampled_from(
    [
        FimLayout(),
        FimLayout(spm=()),
        FimLayout(psm=()),
        FimLayout(spm=("<suffix>", "S", "<prefix>", "P", "<middle>")),
    ]
)


@given(
    layout=LAYOUTS,
    order=st.sampled_from(["psm", "spm"]),
    ids=st.sampled_from([IDS, replace(IDS, newline=(200, 201))]),
    gap=st.tuples(TEXTS, TEXTS, TEXTS),
    path=TOKENS,
    repository=TOKENS,
    files=FILES,
)
def test_parse_undoes_render(layout, order, ids, gap, path, repository, files):
    if not getattr(layout, order):
        order = "psm" if order == "spm" else "spm"
    prefix, suffix, middle = gap
    prompt = render(
        layout,
        order=order,
        prefix=prefix,
        suffix=suffix,
        path=path,
        repository=repository,
        files=files,
        ids=ids,
    )

    parsed = parse(layout, [*prompt, *middle, ids.end], ids, order=order, prefix_length=len(prefix))

    assert (parsed.prefix, parsed.suffix, parsed.middle) == (prefix, suffix, middle)
    assert (parsed.path, parsed.repository, parsed.files) == (path, repository, files)


@given(TOKENS, TOKENS, TOKENS, st.integers(min_value=16, max_value=199))
def test_a_keystroke_only_lengthens_an_spm_prompt(prefix, suffix, path, typed):
    before = render(FimLayout(), order="spm", prefix=prefix, suffix=suffix, path=path, ids=IDS)
    after = render(
        FimLayout(), order="spm", prefix=[*prefix, typed], suffix=suffix, path=path, ids=IDS
    )

    assert after == [*before, typed]


def test_the_orders_are_starcoders():
    psm = render(FimLayout(), order="psm", prefix=[20], suffix=[30], path=[40], ids=IDS)
    spm = render(FimLayout(), order="spm", prefix=[20], suffix=[30], path=[40], ids=IDS)

    assert psm == [6, 40, 200, 1, 20, 3, 30, 2]
    assert spm == [6, 40, 200, 1, 3, 30, 2, 20]


def test_a_repository_is_written_as_llama_cpp_writes_one():
    prompt = render(
        FimLayout(),
        order="psm",
        prefix=[20],
        suffix=[30],
        path=[40],
        repository=[50],
        files=[([60], [61, 200, 62]), ([70], [])],
        ids=IDS,
    )

    assert prompt == [5, 50, 200, 8, 60, 200, 61, 200, 62, 8, 70, 200, 8, 40, 200, 1, 20, 3, 30, 2]


def test_what_a_model_has_no_token_for_is_left_out():
    layout = FimLayout(repo_name="", file_sep="")
    ids = replace(IDS, repo_name=None, file_sep=None)
    bare = render(layout, order="psm", prefix=[20], suffix=[30], path=[40], ids=ids)

    prompt = render(
        layout,
        order="psm",
        prefix=[20],
        suffix=[30],
        path=[40],
        repository=[50],
        files=[([60], [61])],
        ids=ids,
    )

    assert prompt == bare == [6, 40, 200, 1, 20, 3, 30, 2]


def test_a_name_that_does_not_end_is_refused():
    with pytest.raises(ValueError, match="line end"):
        parse(FimLayout(), [IDS.file_sep, 40, IDS.prefix], IDS, order="psm")


def test_a_folder_that_says_nothing_of_repositories_knows_none():
    stored = layout_to_json(FimLayout())
    for name in ("repo_name", "file_sep"):
        del stored[name]

    assert layout_from_json(stored) == FimLayout(repo_name="", file_sep="")
    assert layout_from_json(layout_to_json(FimLayout())).file_sep == "<|file_sep|>"


def test_a_layout_survives_the_checkpoint_folder():
    layout = FimLayout(prefix="<PRE>", spm=())

    assert layout_from_json(layout_to_json(layout)) == layout


def test_a_missing_sentinel_is_named():
    with pytest.raises(ValueError, match="<fim_suffix>"):
        sentinel_ids(FimLayout(), {"<fim_prefix>": 1}.get, lambda _: [])
