"""What a run takes of many cards: it follows from the recipe, and the page on it says the same."""

from pathlib import Path

import pytest

from trainer.commands.train import main
from trainer.config import load_recipe
from trainer.hardware import HARDWARE
from trainer.planning import parameters, tokens_per_step
from trainer.scaling import (
    checkpoint_bytes,
    describe_shares,
    scaling_table,
    shares,
    source_rate,
    step_seconds,
    traffic,
)

BIG = load_recipe("starcoder-15b")
A100, H100 = (next(each for each in HARDWARE if each.mark == mark) for mark in ("A100", "H100"))
PAGE = Path(__file__).parents[2] / "docs" / "SCALING.md"


def test_rows_are_dealt_out_to_all():
    assert shares(BIG, 64).rows == 8
    assert shares(load_recipe("starcoder-15b", ["run.micro_rows=4"]), 64).micro_batches == 2


def test_more_cards_than_rows_are_refused_with_a_number_that_works():
    with pytest.raises(ValueError, match="start 128"):
        shares(load_recipe("starcoder-1b"), 512)


def test_lanes_that_cannot_be_shared_are_named():
    small = load_recipe("small")

    assert shares(small, 2).lanes == small.data.lanes
    assert "--set data.lanes=8" in describe_shares(small, 8)


def test_what_a_card_receives_falls_with_the_micro_batches():
    wider = load_recipe("starcoder-15b", ["run.micro_rows=4"])

    assert traffic(wider, 64) == pytest.approx(traffic(BIG, 64) / 4)
    # One row a card: bfloat16 weights twice and float32 gradients once, less what is its own.
    assert traffic(BIG, 512) == pytest.approx(8 * parameters(BIG.model) * 511 / 512)


def test_a_checkpoint_is_masters_and_states():
    assert checkpoint_bytes(BIG) == 12 * parameters(BIG.model)


def test_a_step_and_its_text_follow_from_the_share():
    took = step_seconds(BIG, H100, 64)

    assert step_seconds(BIG, H100, 512) == pytest.approx(took / 8)
    text = tokens_per_step(BIG) * BIG.data.characters_per_token
    assert source_rate(BIG, H100, 64) == pytest.approx(text / took / 8)


def test_a_dry_run_on_many_says_what_each_takes(capsys):
    code = main(["pretrain", "--recipe", "starcoder-15b", "--dry-run", "--processes", "64"])

    out = capsys.readouterr().out
    assert code == 0
    assert "8 rows a process and step in 8 micro-batches" in out
    assert "186.2 GB of disk" in out


@pytest.mark.parametrize("name", ["starcoder-1b", "starcoder-15b"])
@pytest.mark.parametrize("hardware", [A100, H100], ids=lambda each: each.mark)
def test_the_page_has_the_tables_of_today(name, hardware):
    table = scaling_table(load_recipe(name), hardware, (8, 64, 512))

    assert table in PAGE.read_text(encoding="utf-8"), (
        "print scaling_table anew into docs/SCALING.md"
    )
