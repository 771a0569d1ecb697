"""The serving policy: what counts as accepted, what a threshold leaves, what is chosen and kept."""

import json
import shutil

import pytest

from engine.checkpoint import read_checkpoint
from engine.serving import Serving
from indexer.shards import write_shards
from tests.support.documents import document
from tests.trainer.conftest import source
from trainer.commands.eval import main
from trainer.evaluation.cases import Case
from trainer.evaluation.policy import (
    Reply,
    choose,
    for_choosing,
    is_right,
    outcome,
    threshold_of,
)


def case(middle="return x", suffix="\n\n\ny = 1\n", name="pack/a.py:1"):
    return Case(name, "line", "python", "a.py", "def f(x):\n    ", middle, suffix)


def reply(text, confidence, *, accepted):
    return Reply(case(), text, confidence, accepted, 1.0)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("return x", True),
        ("return x  ", True),
        ("return", True),  # the beginning of what was there
        ("return x\n\n\ny = 1", True),  # and what follows it
        ("return x  \n\n\ny", True),
        ("return x + 1", False),
        ("return y", False),
        ("", False),
        ("  \n", False),
    ],
)
def test_a_suggestion_is_right_when_all_of_it_was_there(text, right):
    assert is_right(case(), text) is right


def test_a_threshold_hides_and_what_is_left_is_counted():
    replies = [
        reply("abcd", 0.9, accepted=True),
        reply("ab", 0.5, accepted=True),
        reply("wrong", 0.4, accepted=False),
        reply("", 0.0, accepted=False),
    ]

    everything, some, none = (outcome(replies, each) for each in (0.0, 0.6, 1.0))

    assert (everything.shown, everything.saved) == (0.75, 1.5)
    assert everything.acceptance == pytest.approx(2 / 3)
    assert (some.shown, some.acceptance, some.saved) == (0.25, 1.0, 1.0)
    assert (none.shown, none.acceptance, none.saved) == (0.0, None, 0.0)


def test_the_threshold_keeps_nearly_all_that_is_accepted():
    right = [reply("x" * 10, 0.50 + each / 100, accepted=True) for each in range(40)]
    wrong = [reply("x" * 10, each / 100, accepted=False) for each in range(60)]

    found = threshold_of(right + wrong)

    assert found == pytest.approx(0.52)  # the least two of forty may go
    assert outcome(right + wrong, found).shown < outcome(right + wrong, 0.0).shown / 2


def test_the_shortest_prompt_that_is_as_good_and_the_lines_that_bring_more():
    def ways(one, several):
        return [
            [reply("x" * one, 0.5, accepted=True)],
            [reply("x" * several, 0.25, accepted=True)],
        ]

    (short_one, short), (middle_one, middle), (long_one, long) = (
        ways(5, 4),
        ways(9, 10),
        ways(10, 9),
    )
    replies = {
        (512, False): short_one, (512, True): short,
        (1024, False): middle_one, (1024, True): middle,
        (2048, False): long_one, (2048, True): long,
    }  # fmt: skip

    assert choose(replies) == Serving(min_confidence=0.25, multiline=True, prompt_tokens=1024)


def test_packages_are_halved_whole():
    cases = [case(name=f"{name}/{each}.py:1") for name, count in (("a", 5), ("b", 3), ("c", 3))
             for each in range(count)]  # fmt: skip

    assert for_choosing(cases) == {"a"}


@pytest.fixture
def model(finished, tmp_path):
    shutil.copytree(finished / "export", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def held_out(tmp_path):
    folder = tmp_path / "held-out"
    texts = [(f"{name}{each}", name, source(40 + each)) for name in "ab" for each in range(3)]
    write_shards(folder, [
        document(text + f"\n# {path}\n", f"{path}.py", package=package)
        for path, package, text in texts
    ], meta={"name": "held-out", "recipe_hash": "0", "selection": "full"})  # fmt: skip
    return folder


def test_it_is_measured_drawn_and_kept_in_the_model(model, held_out, tmp_path, capsys):
    code = main(
        [
            "policy",
            "--model",
            str(model),
            "--held-out",
            str(held_out),
            "--cases",
            "4",
            "--prompts",
            "192",
            "--json",
            str(tmp_path / "p.json"),
            "--plot",
            str(tmp_path / "p.png"),
            "--save",
        ]
    )

    assert code == 0
    assert "min_confidence" in capsys.readouterr().out
    result = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert {each["lines"] for each in result["ways"]} == {"one", "several"}
    assert all(each["requests"] == 8 for each in result["ways"])
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    kept = read_checkpoint(model).serving
    assert kept == Serving(**result["serving"])
    assert kept.prompt_tokens == 192


def test_one_package_cannot_be_halved(model, tmp_path, capsys):
    folder = tmp_path / "one"
    write_shards(folder, [document(source(40))], meta={"name": "one", "recipe_hash": "0"})

    assert main(["policy", "--model", str(model), "--held-out", str(folder)]) == 2
    assert "halved" in capsys.readouterr().err
