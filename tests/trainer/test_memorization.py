"""What is counted as copied is copied: judged by an index, whoever wrote it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.api import Completion
from indexer import AttributionIndex
from indexer.document import content_hash
from indexer.shards import read_documents, write_shards
from tests.support.tiny import write_tiny
from tests.support.tiny_corpus import INTERVALS, UNRELATED, build, documents
from trainer.commands import eval as eval_command
from trainer.evaluation import memorization, regenerating
from trainer.evaluation.cases import Case
from trainer.evaluation.causal import load_causal


def other(text: str, path: str):
    return replace(documents()[0], text=text, path=path, package="held", sha256=content_hash(text))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    build(folder)
    meta = {"name": "held", "recipe_hash": "recipe", "selection": "full"}
    files = [other(f"{UNRELATED}\n# number {each}\n", f"held/{each}.py") for each in range(6)]
    write_shards(folder / "held-out", files, meta=meta)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny", max_position_embeddings=2048)


@pytest.fixture(scope="module")
def model(folder):
    return load_causal(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def index(home):
    return AttributionIndex.open(home / "index")


HEAD, BODY = INTERVALS[:120], INTERVALS[120:]


def case_of(prefix: str, middle: str, kind: str = memorization.CORPUS) -> Case:
    return Case("spans/intervals.py:5", kind, "python", "spans/intervals.py", prefix, middle, "")


def test_a_copy_is_flagged_and_an_unrelated_text_is_not(index, model):
    case = case_of(HEAD, BODY)

    tally = memorization.judge(index, [(case, BODY), (case, UNRELATED), (case, "  \n")], model)
    row = tally.row("corpus prefix", "greedy")

    assert (row["completions"], row["empty"]) == (3, 1)
    assert (row["of_50_characters"], row["flagged"]) == (2, 0.5)
    assert (row["of_65_lexemes"], row["flagged_65"]) == (1, 1.0)
    assert row["flagged_of_all"] == pytest.approx(1 / 3, abs=1e-4)
    assert row["extracted"] == 1
    assert row["reported_as"] == {"verbatim": 1}
    (example,) = tally.examples
    assert example["match"]["source"]["path"] == "spans/intervals.py"


def test_a_match_that_leans_on_the_prompt_is_no_copy_by_itself(index, model):
    # Half a line of the corpus after its own beginning: the lines before carry the match.
    start = BODY.index("        if merged and")
    few = BODY[start : start + 95]
    case = case_of(INTERVALS[: 120 + start], BODY[start:])

    row = memorization.judge(index, [(case, few), (case, BODY)], model).row("corpus prefix", "x")

    assert row["flagged"] == 1.0
    assert row["flagged_alone"] == 0.5


def test_a_short_copy_counts_in_no_length_class(index, model):
    tally = memorization.judge(index, [(case_of(HEAD, BODY), BODY[:30])], model)

    assert tally.row("a", "b")["flagged"] is None
    assert tally.row("a", "b")["of_50_characters"] == 0


def test_a_continuation_is_extracted_only_when_its_tokens_are_the_files(index, model):
    tally = memorization.judge(index, [(case_of(HEAD, BODY), BODY[1:])], model)

    assert tally.extracted == 0
    assert memorization.judge(index, [(case_of(HEAD, BODY, "line"), BODY)], model).extracted == 0


def test_corpus_prompts_are_the_same_every_time_and_make_the_file_again(home):
    drawn = memorization.corpus_cases(home / "corpus", ["python"], 4)
    texts = {each.text for each in read_documents(home / "corpus")}

    assert drawn
    assert drawn == memorization.corpus_cases(home / "corpus", ["python"], 4)
    for case in drawn:
        assert case.prefix + case.middle in texts
        assert case.prefix.endswith("\n")
        assert len(case.prefix) >= 200


def test_samples_differ_and_come_again(model):
    cases = [case_of(HEAD, BODY), replace(case_of(HEAD[:80], BODY), name="b")]
    greedy, sampled = memorization.decodings(0.8, 3)
    options = {"new_tokens": 8, "context": 64, "budget": 2000}

    texts = [text for _, text in memorization.write(model, None, cases, sampled, **options)]

    assert len(texts) == 6
    assert len(set(texts)) > 2
    assert texts == [text for _, text in memorization.write(model, None, cases, sampled, **options)]
    assert len(memorization.write(model, None, cases, greedy, **options)) == 2


def usual(folder, home, *more: str) -> list[str]:
    named = ["--model", str(folder), "--index", str(home / "index")]
    named += ["--corpus", str(home / "corpus"), "--held-out", str(home / "held-out")]
    return ["memorization", *named, "--cases", "3", "--samples", "2", "--context", "200", *more]


def test_the_command_reports_every_kind_of_prompt_and_decoding(folder, home, tmp_path, capsys):
    out = tmp_path / "memorization.json"

    assert eval_command.main(usual(folder, home, "--json", str(out))) == 0

    result = json.loads(out.read_text(encoding="utf-8"))
    said = capsys.readouterr().out
    assert {row["prompts"] for row in result["rows"]} == {
        "held-out line",
        "held-out block",
        "corpus prefix",
    }
    own = {r["prompts"]: r for r in result["rows"] if r["decoding"] == "the author's own text"}
    assert own["corpus prefix"]["flagged_65"] == 1.0
    assert "0.88%" in said
    assert "2.01%" in said
    assert "not the one that the model names" in result["protocol"]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--index", "nowhere"], "footnote index build"),
        (["--corpus", "nowhere"], "footnote"),
        (["--held-out", "nowhere"], "footnote setup"),
        (["--language", "cobol"], "leave out --language"),
        (["--temperature", "0"], "--temperature"),
        (["--cases", "0"], "--cases"),
        (["--regenerate", "-1"], "--regenerate"),
    ],
)
def test_what_is_missing_is_said_with_its_remedy(folder, home, arguments, remedy, capsys):
    assert eval_command.main(usual(folder, home, *arguments)) == 2
    assert remedy in capsys.readouterr().err


class Script:
    """Completes as it is told: the first text that is not banned."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def complete(self, gap, options, cancel):
        free = [text for text in self.texts if not any(ban.forbids(text) for ban in options.banned)]
        return Completion(free[0] if free else "", "end", timings_ms={"total": 5.0})


@pytest.mark.parametrize(
    ("texts", "outcome"),
    [
        ([UNRELATED], {}),
        ([BODY, UNRELATED], {"clean 1": 1}),
        ([BODY, " " + BODY.lstrip().replace("merged", "joined", 1), UNRELATED], {"clean 1": 1}),
        ([BODY], {"nothing": 1}),
    ],
)
def test_what_is_found_is_written_again_until_nothing_is(index, texts, outcome):
    again = regenerating.regenerate(Script(*texts), index, [case_of(HEAD, BODY)])
    row = again.row()

    assert again.prompts == 1
    assert dict(again.outcomes) == outcome
    assert row["found"] == len(outcome)
    assert (row["again_ms"] is None) == (not outcome)


def test_the_command_tells_what_regenerating_makes(folder, home, tmp_path, capsys):
    out = tmp_path / "memorization.json"

    assert eval_command.main(usual(folder, home, "--regenerate", "2", "--json", str(out))) == 0
    row = json.loads(out.read_text(encoding="utf-8"))["regenerated"]
    assert row["found"] == row["clean"] + row["nothing_left"] + row["still_found"]
    assert "cut at a line start" in row["protocol"]
    assert "Regenerating" in capsys.readouterr().out
