"""The ledger keeps whole blocks of prompts and nothing else."""

from __future__ import annotations

from engine.prefix_cache import BLOCK, PrefixCache, blocks


def filled(prompt: list[int]) -> PrefixCache:
    ledger = PrefixCache()
    for _, block in blocks(prompt, ledger.rewind(prompt)):
        ledger.store(block)
    return ledger


def test_nothing_is_known_at_first() -> None:
    assert PrefixCache().rewind([1, 2, 3]) == 0


def test_a_longer_prompt_keeps_the_whole_blocks() -> None:
    prompt = list(range(3 * BLOCK + 10))

    assert filled(prompt).rewind([*prompt, 1, 2]) == 3 * BLOCK


def test_a_change_costs_its_block_and_all_behind() -> None:
    prompt = list(range(4 * BLOCK))
    changed = [*prompt[: 2 * BLOCK + 5], -1, *prompt[2 * BLOCK + 6 :]]
    ledger = filled(prompt)

    assert ledger.rewind(changed) == 2 * BLOCK
    assert ledger.rewind(prompt) == 2 * BLOCK


def test_the_last_token_is_always_left_to_compute() -> None:
    prompt = list(range(2 * BLOCK))

    assert filled(prompt).rewind(prompt) == BLOCK


def test_a_shorter_prompt_keeps_what_it_has() -> None:
    prompt = list(range(4 * BLOCK))

    assert filled(prompt).rewind(prompt[: BLOCK + 1]) == BLOCK


def test_another_prompt_keeps_nothing() -> None:
    assert filled(list(range(4 * BLOCK))).rewind([7] * 200) == 0


def test_blocks_cover_the_rest_of_a_prompt() -> None:
    prompt = list(range(2 * BLOCK + 3))
    parts = list(blocks(prompt, BLOCK))

    assert [position for position, _ in parts] == [BLOCK, 2 * BLOCK]
    assert [each for _, part in parts for each in part] == prompt[BLOCK:]
