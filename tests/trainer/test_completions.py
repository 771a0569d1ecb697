"""Completions depend on the model, the task and the seed: not on what they were made beside."""

import shutil

import pytest

from trainer.evaluation import completions
from trainer.evaluation.causal import load_causal
from trainer.evaluation.completions import Decoding, Wanted
from trainer.evaluation.tasks import Task


@pytest.fixture(scope="module")
def model(finished):
    return load_causal(finished / "export", dtype="float32")


def a_task(prompt: str, *, name="t", suffix="", stops=()) -> Task:
    return Task(name, "python", prompt, prompt, suffix, "", tuple(stops), None)


TASKS = [
    a_task("def area_3(radius, scale=1.0):\n    if radius < 0:\n", name="long"),
    a_task("import math", name="short"),
    a_task("    return math.pi", name="middle"),
]


def texts(model, wanted, decoding, batch):
    prompt = completions.left_to_right(model, decoding.tokens)
    made = completions.complete(model, wanted, decoding, prompt, batch)
    return {(each.task.name, each.sample): text for each, text in made}


def test_greedy_completions_do_not_depend_on_the_batch(model):
    wanted = [Wanted(task, 0) for task in TASKS]
    decoding = Decoding(tokens=12)

    assert texts(model, wanted, decoding, 1) == texts(model, wanted, decoding, 3)


def test_a_greedy_completion_is_the_best_token_each_time(model):
    import torch

    ids = model.tokenizer.encode(TASKS[0].prompt)
    for _ in range(8):
        with torch.no_grad():
            ids.append(int(model.net(torch.tensor([ids])).logits[0, -1].argmax()))
    expected = model.tokenizer.decode(ids[-8:])

    found = texts(model, [Wanted(TASKS[0], 0)], Decoding(tokens=8), 1)["long", 0]

    assert found == expected


def test_samples_are_the_same_every_time_and_differ_from_each_other(model):
    decoding = Decoding(samples=4, temperature=1.5, top_p=1.0, tokens=10, seed=3)
    wanted = [Wanted(task, number) for task in TASKS for number in range(4)]
    together = texts(model, wanted, decoding, 12)

    assert texts(model, wanted[5:7], decoding, 1).items() <= together.items()
    assert len({together["long", number] for number in range(4)}) > 1
    other = texts(model, wanted, Decoding(4, 1.5, 1.0, 10, seed=4), 12)
    assert other != together


def test_a_small_top_p_leaves_the_best_token_alone(model):
    wanted = [Wanted(task, 0) for task in TASKS]

    narrow = texts(model, wanted, Decoding(temperature=1.0, top_p=1e-6, tokens=8), 3)

    assert narrow == texts(model, wanted, Decoding(tokens=8), 3)


def test_generation_ends_at_a_stop_sequence_and_cuts_it(model):
    free = texts(model, [Wanted(TASKS[0], 0)], Decoding(tokens=40), 1)["long", 0]
    stop = free[5:9]
    stopping = a_task(TASKS[0].prompt, stops=[stop, "never there"])

    found = texts(model, [Wanted(stopping, 0)], Decoding(tokens=40), 1)["t", 0]

    assert found == free[: free.index(stop)]


def test_the_first_of_several_stops_cuts():
    assert completions.cut("a\nclass b\ndef c", ("\ndef", "\nclass")) == "a"
    assert completions.cut("a", ("\ndef",)) == "a"
    assert completions.cut("a", ()) == "a"


def test_a_publishers_settings_for_generation_are_not_followed(model):
    from transformers import GenerationConfig

    wanted = [Wanted(TASKS[0], 0)]
    plain = texts(model, wanted, Decoding(tokens=10), 1)
    model.net.generation_config = GenerationConfig(
        do_sample=True, temperature=9.0, repetition_penalty=5.0, max_new_tokens=1
    )

    assert texts(model, wanted, Decoding(tokens=10), 1) == plain


@pytest.mark.parametrize("order", ["spm", "psm"])
def test_a_gap_is_rendered_in_the_checkpoints_own_layout(model, order):
    task = a_task("before = ", suffix="\nafter")
    ids = {each: model.tokenizer.id_of(f"<fim_{each}>") for each in ("prefix", "suffix", "middle")}
    before, after = model.tokenizer.encode("before = "), model.tokenizer.encode("\nafter")

    prompt = completions.into_the_gap(model, order, 100, 10)(task)

    assert (
        prompt
        == {
            "psm": [ids["prefix"], *before, ids["suffix"], *after, ids["middle"]],
            "spm": [ids["prefix"], ids["suffix"], *after, ids["middle"], *before],
        }[order]
    )


def test_a_model_without_such_tokens_is_refused(finished, tmp_path):
    folder = tmp_path / "plain"
    shutil.copytree(finished / "export", folder)
    (folder / "footnote.json").unlink()
    text = (folder / "tokenizer.json").read_text(encoding="utf-8").replace("<fim_", "<other_")
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match="no fill-in-the-middle tokens"):
        completions.into_the_gap(load_causal(folder, dtype="float32"), None, None, 10)


def test_a_prompt_too_long_for_the_model_loses_its_start(model):
    room = model.positions - 8
    prompt = completions.left_to_right(model, 8)(a_task("x = 1\n" * model.positions + "end"))

    assert len(prompt) == room
    assert model.tokenizer.decode(prompt).endswith("end")
    with pytest.raises(ValueError, match="lower --tokens"):
        completions.left_to_right(model, model.positions)
    with pytest.raises(ValueError, match="lower --tokens"):
        completions.into_the_gap(model, None, None, model.positions)


def test_a_checkpoint_of_another_publisher_is_completed_and_filled(finished, tmp_path):
    import torch
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    torch.manual_seed(0)
    settings = {"vocab_size": 512, "n_positions": 128, "n_embd": 32, "n_layer": 1, "n_head": 2}
    config = GPTBigCodeConfig(**settings, bos_token_id=0, eos_token_id=0)
    GPTBigCodeForCausalLM(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(finished / "export" / name, tmp_path / name)
    other = load_causal(tmp_path, dtype="float32")
    wanted = [Wanted(a_task("x = ", suffix="\n"), 0)]

    for prompt in (
        completions.left_to_right(other, 6),
        completions.into_the_gap(other, None, 64, 6),
    ):
        made = list(completions.complete(other, wanted, Decoding(tokens=6), prompt, 1))
        assert len(made) == 1
    # Its own table knows one order only.
    with pytest.raises(ValueError, match="no spm order"):
        completions.into_the_gap(other, "spm", 64, 6)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"samples": 2}, "all the same"),
        ({"samples": 0}, "start at 1"),
        ({"temperature": -1.0}, "at 0"),
        ({"top_p": 0.0}, "--top-p"),
        ({"top_p": 1.5}, "--top-p"),
        ({"tokens": 0}, "--tokens"),
    ],
)
def test_impossible_decodings_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        Decoding(**values)
