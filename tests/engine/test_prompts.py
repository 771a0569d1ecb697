"""Prompts that others lay out, as a text before and a text behind the gap."""

from __future__ import annotations

import pytest

from engine.layouts import KNOWN
from engine.prompts import parted

BEFORE, AFTER = "def f(x):\n    return ", "\n\nprint(f(1))\n"


@pytest.mark.parametrize("layout", KNOWN, ids=lambda layout: layout.prefix + layout.end)
def test_the_layout_of_every_known_family_is_taken_apart(layout) -> None:
    prefix, suffix, middle = (
        token.replace("\u2581<", " <") for token in (layout.prefix, layout.suffix, layout.middle)
    )

    assert parted(f"{prefix}{BEFORE}{suffix}{AFTER}{middle}") == (BEFORE, AFTER)


@pytest.mark.parametrize(
    "prompt",
    [
        f"<PRE> {BEFORE} <SUF>{AFTER} <MID>",
        f"<PRE> <SUF>{AFTER} <MID> {BEFORE}",
        f"<fim_prefix><fim_suffix>{AFTER}<fim_middle>{BEFORE}",
        f"<|fim_prefix|>def f(x):\n<|fim_suffix|>{AFTER}<|fim_middle|>    return ",
        f"<|code_prefix|>{BEFORE}<|code_suffix|>{AFTER}<|code_middle|>",
        f"[SUFFIX]{AFTER}[PREFIX]{BEFORE}",
        f"<s><fim_prefix>{BEFORE}<fim_suffix>{AFTER}<fim_middle>",
        "<|repo_name|>a\n<|file_sep|>other.py\nx = 1\n<|file_sep|>f.py\n"
        f"<|fim_prefix|>{BEFORE}<|fim_suffix|>{AFTER}<|fim_middle|>",
    ],
)
def test_other_orders_and_families_are_too(prompt: str) -> None:
    assert parted(prompt) == (BEFORE, AFTER)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        BEFORE,
        f"# {KNOWN[0].prefix}a{KNOWN[0].suffix}b{KNOWN[0].middle}",  # a text about such tokens
        f"{KNOWN[0].prefix}a{KNOWN[0].middle}",
    ],
)
def test_a_plain_text_is_left_whole(prompt: str) -> None:
    assert parted(prompt) is None
