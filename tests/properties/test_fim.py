"""Whatever the texts are, a rendered prompt can be taken apart again and loses nothing."""

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

IDS = SentinelIds(prefix=1, suffix=3, middle=2, end=0, file_name=6, newline=(200,))
TOKENS = st.lists(st.integers(min_value=16, max_value=199), max_size=12)
LAYOUTS = st.sampled_from(
    [
        FimLayout(),
        FimLayout(spm=()),
        FimLayout(psm=()),
        FimLayout(spm=("<suffix>", "S", "<prefix>", "P", "<middle>")),
    ]
)


@given(LAYOUTS, st.sampled_from(["psm", "spm"]), TOKENS, TOKENS, TOKENS, TOKENS)
def test_parse_undoes_render(layout, order, prefix, suffix, path, middle):
    if not getattr(layout, order):
        order = "psm" if order == "spm" else "spm"
    prompt = render(layout, order=order, prefix=prefix, suffix=suffix, path=path, ids=IDS)

    parsed = parse(layout, [*prompt, *middle, IDS.end], IDS, order=order, prefix_length=len(prefix))

    assert (parsed.prefix, parsed.suffix, parsed.middle, parsed.path) == (
        prefix,
        suffix,
        middle,
        path,
    )


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


def test_a_layout_survives_the_checkpoint_folder():
    layout = FimLayout(prefix="<PRE>", spm=())

    assert layout_from_json(layout_to_json(layout)) == layout


def test_a_missing_sentinel_is_named():
    with pytest.raises(ValueError, match="<fim_suffix>"):
        sentinel_ids(FimLayout(), {"<fim_prefix>": 1}.get, lambda _: [])
