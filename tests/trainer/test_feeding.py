"""What is measured about feeding is what was fed."""

import pytest

from engine.fim import FimLayout
from trainer.config import DataRecipe, SpanRecipe
from trainer.data import Plan
from trainer.evaluation.feeding import measure


@pytest.mark.parametrize("workers", [0, 1])
def test_rates_belong_to_the_rows_that_were_taken(corpus, tokenizer, workers):
    data = DataRecipe(context=96, rows=8, documents_per_block=5, workers=workers)
    plan = Plan(corpus, tokenizer, FimLayout(), SpanRecipe(max_middle=120), data)

    found = measure(plan, 0.3)

    assert (found.workers, found.rows % 8) == (workers, 0)
    assert found.rows > 0
    assert found.rows_per_s * found.seconds == pytest.approx(found.rows)
    assert found.tokens_per_s == pytest.approx(found.rows_per_s * 97 * (1 - found.padding_share))
    assert 0 <= found.padding_share < 0.5
    assert 0.5 < found.bytes_per_s / found.tokens_per_s < 6  # bytes per token of code
    assert found.bytes_per_cpu_s > 0
