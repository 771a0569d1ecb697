"""The ledger keeps whole blocks of prompts and nothing else."""

from __future__ import annotations

from engine.cuts import ANYWHERE, Cuts
from engine.prefix_cache import BLOCK, PrefixCache, Shelf, blocks


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


def test_every_token_is_kept_where_that_is_exact() -> None:
    ledger = PrefixCache(ANYWHERE)
    ledger.store([1, 2, 3])
    ledger.store([4])

    assert ledger.common([1, 2, 3, 4, 5]) == 4
    assert ledger.rewind([1, 2, 9]) == 2
    assert ledger.rewind([1, 2, 3, 4]) == 2
    assert ledger.common([1]) == 0


def test_a_grain_and_the_least_of_a_last_block_are_kept_to() -> None:
    cuts = Cuts(grain=4, least=3, block=8)
    prompt = list(range(30))
    ledger = PrefixCache(cuts)
    for _, block in blocks(prompt, ledger.rewind(prompt), cuts):
        ledger.store(block)

    assert [len(part) for _, part in blocks(prompt, 0, cuts)] == [8, 8, 8, 6]
    assert [len(part) for _, part in blocks(prompt[:26], 0, cuts)] == [8, 8, 4, 6]
    assert [len(part) for _, part in blocks(prompt[:2], 0, cuts)] == [2]
    assert ledger.common([*prompt, 7, 7]) == 28
    assert ledger.common([*prompt[:29], 7]) == 24
    assert ledger.common(prompt[:2]) == 0


def test_a_prompt_below_the_least_is_not_kept() -> None:
    ledger = PrefixCache(Cuts(grain=1, least=2, block=8))
    ledger.store([1])

    assert ledger.common([1, 2, 3]) == 0


def shelf(most: int = 2) -> Shelf[list[int]]:
    made: list[int] = []

    def make() -> list[int]:
        made.append(len(made))
        return [made[-1]]

    return Shelf(make, most, ANYWHERE)


def use(sequences: Shelf[list[int]], prompt: list[int]) -> int:
    """Run a prompt as the token loop does; the number of the sequence that took it."""
    ledger, kept = sequences.take(prompt)
    ledger.rewind(prompt)
    ledger.store(prompt)
    return kept[0]


def test_going_back_to_another_file_does_not_start_from_nothing() -> None:
    one, two, three = ([each] * 200 for each in (1, 2, 3))
    sequences = shelf()

    assert [use(sequences, each) for each in (one, two, one, [*two, 7])] == [0, 1, 0, 1]
    assert use(sequences, three) == 0  # the least recently used gave way
    assert use(sequences, two) == 1
    assert sequences.take([*three, 5])[0].common([*three, 5]) == 200


def test_a_short_beginning_in_common_is_no_reason_to_forget_the_rest() -> None:
    sequences = shelf()
    use(sequences, [5] * 10 + [1] * 200)

    assert use(sequences, [5] * 10 + [2] * 200) == 1


def test_with_one_sequence_there_is_one() -> None:
    sequences = shelf(1)

    assert [use(sequences, [each] * 100) for each in (1, 2, 1)] == [0, 0, 0]
