"""Figures of others stand beside ours only where they were made the same way."""

from trainer.evaluation import published


def test_a_row_is_shown_for_its_own_protocol_only():
    same = published.beside("HumanEval", "python", "pass@1", published.SAMPLED)

    assert {"StarCoder 15.5B": 0.3357, "TinyStarCoderPy 164M": 0.0784}.items() <= {
        row.model: row.value for row in same
    }.items()
    assert published.beside("HumanEval", "python", "pass@1", "greedy") == []
    assert published.beside("HumanEval", "python", "pass@10", published.SAMPLED) == []


def test_every_row_is_a_share_and_says_where_it_is_from():
    for row in published.ROWS:
        assert 0 < row.value < 1
        assert row.protocol
        assert row.source
    keys = [
        (row.model, row.benchmark, row.language, row.metric, row.protocol) for row in published.ROWS
    ]
    assert len(keys) == len(set(keys))
