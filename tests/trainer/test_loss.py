"""Bits per byte are what a naive recomputation gives, however the text is cut, batched and bucketed."""

from __future__ import annotations

import json
import math

import pytest
import torch

from indexer.shards import write_shards
from tests.support.documents import held
from tests.support.tiny import write_tiny
from trainer.commands import eval as eval_command
from trainer.evaluation import loss
from trainer.evaluation.causal import load_causal

FILES = [
    held(f"def name_{number}(path):\n    return path + {number}\n" * (1 + number % 4))
    for number in range(12)
] + [held('{"größe": "✓ 日本"}\n', "lib/a.json", "json"), held("", "lib/empty.py")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny", scale=0.2)


@pytest.fixture(scope="module")
def model(folder):
    return load_causal(folder, device="cpu", dtype="float32")


def naive_nats(model, ids: list[int]) -> list[float]:
    """Each token with all before it, one forward pass each."""
    out = []
    with torch.no_grad():
        for place in range(1, len(ids)):
            logits = model.net(torch.tensor([ids[:place]])).logits[0, -1]
            out.append(-float(torch.log_softmax(logits.float(), 0)[ids[place]]))
    return out


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 12, 13, 40, 41])
def test_every_token_but_the_first_is_scored_once_with_context(length):
    scored = []
    for start, end, first in loss.windows(length, 8, 4):
        assert end - start <= 8
        assert first - start >= min(first, 4)
        scored += range(first, end)

    assert scored == list(range(1, length))


def test_a_batch_gives_what_each_row_gives_alone(model):
    rows = [loss.encode(model.tokenizer, model.begin, each.text)[0] for each in FILES[:4]]
    scorer = loss.Scorer(model)

    together = scorer.nats(rows, [1, 5, 1, 2])

    for row, first, found in zip(rows, [1, 5, 1, 2], together, strict=True):
        assert found == pytest.approx(naive_nats(model, row)[first - 1 :], abs=1e-4)


def test_bits_per_byte_are_those_of_a_naive_recomputation(model):
    texts = [each for each in FILES if each.text]
    rows = loss.measure(model, texts, window=512, stride=256, bounds=(16,), budget=700)
    total = next(each for each in rows if (each.language, each.position) == ("all", "all"))

    nats = sum(
        sum(naive_nats(model, loss.encode(model.tokenizer, model.begin, each.text)[0]))
        for each in texts
    )
    size = sum(len(each.text.encode()) for each in texts)

    assert total.bytes == size
    assert total.bits_per_byte == pytest.approx(nats / math.log(2) / size, abs=1e-4)


@pytest.mark.parametrize("bounds", [(1,), (5, 9), (2048, 8192)])
def test_the_buckets_of_a_language_add_up_to_all_of_it(model, bounds):
    rows = loss.measure(model, FILES, window=24, stride=12, bounds=bounds)

    for language in {each.language for each in rows}:
        of_it = [each for each in rows if each.language == language]
        parts, whole = of_it[:-1], of_it[-1]
        bits = sum(each.bits_per_byte * each.bytes for each in parts)
        assert whole.position == "all"
        assert (sum(p.bytes for p in parts), sum(p.tokens for p in parts)) == (
            whole.bytes,
            whole.tokens,
        )
        assert bits == pytest.approx(whole.bits_per_byte * whole.bytes, rel=1e-3)


def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(model):
    for text in ("", "plain", "größe ✓ 日本\n", "a\ud800b", "🎉🎉"):
        ids, sizes = loss.encode(model.tokenizer, model.begin, text)

        assert len(ids) == len(sizes)
        assert sum(sizes) == len(text.encode("utf-8", "replace")) + 2 * text.count("\ud800")


def test_the_order_of_files_and_the_size_of_batches_change_nothing(model):
    small = loss.measure(model, FILES, window=24, stride=12, budget=24)
    large = loss.measure(model, FILES[::-1], window=24, stride=12, budget=5000)

    for one, other in zip(small, large, strict=True):
        assert (one.language, one.position, one.bytes) == (
            other.language,
            other.position,
            other.bytes,
        )
        assert one.bits_per_byte == pytest.approx(other.bits_per_byte, abs=2e-4)


def test_a_head_that_scales_its_logits_is_noticed(folder, model, monkeypatch):
    class Scaled(torch.nn.Module):
        base_model_prefix = "model"

        def __init__(self) -> None:
            super().__init__()
            self.model = model.net.model

        def get_output_embeddings(self):
            return model.net.get_output_embeddings()

        def forward(self, input_ids, **rest):
            result = model.net(input_ids=input_ids, **rest)
            result.logits = result.logits / 8
            return result

    import dataclasses

    scaled = dataclasses.replace(model, net=Scaled())
    ids = loss.encode(model.tokenizer, model.begin, FILES[0].text)[0]

    assert loss.Scorer(scaled).nats([ids], [1])[0] == pytest.approx(
        naive_nats(scaled, ids), abs=1e-4
    )
    assert loss.Scorer(model).nats([ids], [1])[0] != pytest.approx(
        naive_nats(scaled, ids), abs=1e-2
    )


def test_files_are_chosen_by_content_until_a_language_has_its_share():
    chosen = loss.choose(FILES, 120)

    assert {each.language for each in chosen} == {"python", "json"}
    assert chosen == loss.choose(reversed(FILES), 120)
    assert all(each.text for each in chosen)
    assert len(chosen) < len(FILES) - 1


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "held-out"
    write_shards(folder, FILES, meta={"name": "held", "recipe_hash": "0", "selection": "full"})
    return folder


def test_the_command_prints_a_table_and_writes_json(folder, held_out, tmp_path, capsys):
    out = tmp_path / "loss.json"
    arguments = ["--model", str(folder), "--held-out", str(held_out), "--buckets", "8,64"]

    code = eval_command.main(["loss", *arguments, "--window", "32,64", "--json", str(out)])

    result = json.loads(out.read_text(encoding="utf-8"))
    said = capsys.readouterr().out
    assert code == 0
    assert "bits per byte" in said
    assert "8-64" in said
    assert {row["window"] for row in result["languages"]} == {32, 64}
    assert result["languages"][-1]["files"] == len(FILES) - 1
    assert result["command"] == "footnote eval loss --model tiny --buckets 8,64 --window 32,64"
    assert 0 < result["languages"][-1]["bits_per_byte"] < 12


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--window", "100000"], "512"),
        (["--window", "x"], "--window needs whole numbers"),
        (["--window", "32", "--stride", "32"], "--stride"),
        (["--buckets", "64,8"], "--buckets needs rising"),
        (["--language", "cobol"], "leave out --language"),
        (["--dtype", "int3"], "--dtype knows"),
        (["--device", "abacus"], "--device knows"),
        (["--held-out", "nowhere"], "footnote setup"),
        (["--model", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_remedy(
    folder, held_out, arguments, remedy, tmp_path, capsys
):
    out = tmp_path / "old.json"
    out.write_text("good")
    usual = ["--model", str(folder), "--held-out", str(held_out), "--json", str(out)]

    assert eval_command.main(["loss", *usual, *arguments]) == 2
    assert remedy in capsys.readouterr().err
    assert out.read_text() == "good"


def test_a_model_whose_weights_are_no_numbers_is_said_to_be_damaged(held_out, tmp_path, capsys):
    folder = write_tiny(tmp_path / "broken", scale=float("nan"))

    assert eval_command.main(["loss", "--model", str(folder), "--held-out", str(held_out)]) == 2
    assert "no numbers" in capsys.readouterr().err


def test_a_folder_without_safetensors_is_refused(held_out, folder, tmp_path, capsys):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).write_bytes((folder / name).read_bytes())
    (bare / "pytorch_model.bin").write_bytes(b"pickle")

    assert eval_command.main(["loss", "--model", str(bare), "--held-out", str(held_out)]) == 2
    assert "safetensors" in capsys.readouterr().err


def test_damaged_or_missing_weights_are_never_made_up(folder, held_out, tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    for name in ("cut", "part"):
        copy = tmp_path / name
        copy.mkdir()
        for each in folder.iterdir():
            (copy / each.name).write_bytes(each.read_bytes())
    weights = folder / "model.safetensors"
    (tmp_path / "cut" / weights.name).write_bytes(weights.read_bytes()[:5000])
    tensors = load_file(weights)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, tmp_path / "part" / weights.name, metadata={"format": "pt"})
    usual = ["loss", "--held-out", str(held_out), "--model"]

    assert eval_command.main([*usual, str(tmp_path / "cut")]) == 2
    assert "cannot be opened" in capsys.readouterr().err
    assert eval_command.main([*usual, str(tmp_path / "part")]) == 2
    assert "lacks 1 weights, model.layers.1.mlp.up_proj.weight" in capsys.readouterr().err
