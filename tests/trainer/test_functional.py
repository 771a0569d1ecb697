"""`footnote eval functional` from the file to the table, with programs that are really run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.trainer.test_tasks import HUMANEVAL, INFILLING, MBPP, MULTIPL_E, written
from trainer.commands import eval as eval_command
from trainer.commands import eval_functional
from trainer.evaluation import functional, sandbox
from trainer.evaluation.functional import Ledger, Sample
from trainer.evaluation.sandbox import Confinement, SandboxUnavailable


@pytest.fixture(autouse=True, scope="module")
def isolated():
    try:
        found = sandbox.find_way()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    if not found.holds:
        pytest.skip(f"nothing isolates programs here: {found.refused}")


def run(*arguments) -> int:
    return eval_command.main(["functional", *[str(each) for each in arguments]])


@pytest.fixture
def benchmark(tmp_path):
    second = {**HUMANEVAL, "task_id": "HumanEval/1"}
    return written(tmp_path / "human.jsonl", HUMANEVAL, second)


@pytest.fixture
def model(finished):
    return ("--model", finished / "export", "--tokens", 8)


def result(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("record", [HUMANEVAL, INFILLING, MBPP], ids=lambda each: each["task_id"])
def test_reference_solutions_pass(tmp_path, capsys, record):
    out = tmp_path / "out.json"

    code = run(written(tmp_path / "b.jsonl", record), "--canonical", "--json", out)

    (row,) = result(out)["scores"]
    assert (code, row["pass@1"], row["passed"]) == (0, 1.0, 1)
    assert "1.000" in capsys.readouterr().out


def test_a_reference_that_fails_is_named_and_the_exit_code_says_it(tmp_path, capsys):
    wrong = {**HUMANEVAL, "canonical_solution": "    return 3\n"}

    assert run(written(tmp_path / "b.jsonl", wrong), "--canonical") == 1
    assert "HumanEval/0: failed: AssertionError" in capsys.readouterr().err


def test_single_lines_of_a_humaneval_file_pass_with_their_own_lines(benchmark, tmp_path):
    out = tmp_path / "out.json"

    assert run(benchmark, "--canonical", "--single-line", "--json", out) == 0

    assert len(result(out)["samples"]) == 4
    assert "derived" in result(out)["protocol"]["benchmark"]


def test_a_model_is_measured_and_the_protocol_stands_beside(benchmark, model, tmp_path, capsys):
    out = tmp_path / "out.json"

    assert run(benchmark, *model, "--json", out) == 0

    said = capsys.readouterr().out
    protocol = result(out)["protocol"]
    assert "greedy, at most 8 new tokens" in said
    assert "network: none" in protocol["sandbox"]
    assert protocol["limits"] == "10 s and 1024 MB a program"
    assert [each["task"] for each in result(out)["samples"]] == ["HumanEval/0", "HumanEval/1"]
    assert result(out)["scores"][0]["from"] == 0.0


def test_gaps_are_filled_by_the_models_layout(tmp_path, model):
    out = tmp_path / "out.json"
    file = written(tmp_path / "b.jsonl", INFILLING)

    assert run(file, *model, "--first-line", "--order", "psm", "--json", out) == 0

    assert "psm" in result(out)["protocol"]["prompt"]
    assert "\n" not in result(out)["samples"][0]["completion"]


def test_samples_give_pass_at_every_k_that_they_allow(benchmark, model, tmp_path):
    out = tmp_path / "out.json"
    sampling = ("--samples", 3, "--temperature", 0.8)

    assert run(benchmark, *model, *sampling, "--k", "1,3", "--json", out) == 0

    assert {"pass@1", "pass@3", "from 3"} <= result(out)["scores"][0].keys()
    assert len(result(out)["samples"]) == 6


def test_completions_made_elsewhere_are_judged(benchmark, tmp_path, capsys):
    made = written(
        tmp_path / "made.jsonl",
        {"task_id": "HumanEval/0", "completion": "    return 2 * x\n"},
        {"task_id": "HumanEval/0", "completion": "    return x\n"},
    )
    out = tmp_path / "out.json"

    assert run(benchmark, "--samples-from", made, "--k", "1,2", "--json", out) == 0

    (row,) = result(out)["scores"]
    assert (row["tasks"], row["pass@1"], row["pass@2"]) == (1, 0.5, 1.0)
    assert "1 of 2 tasks have no completion" in capsys.readouterr().err


def test_a_run_goes_on_where_it_stopped(benchmark, model, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.json"
    assert run(benchmark, *model, "--limit", 1, "--json", out) == 0
    judged = []
    real = functional.judge
    monkeypatch.setattr(
        functional,
        "judge",
        lambda task, *rest, **more: judged.append(task.name) or real(task, *rest, **more),
    )

    assert run(benchmark, *model, "--json", out) == 0

    assert judged == ["HumanEval/1"]
    assert "going on, 1 verdicts are there" in capsys.readouterr().err
    assert len(result(out)["samples"]) == 2


def test_a_file_of_another_protocol_is_left_alone(benchmark, model, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert run(benchmark, *model, "--json", out) == 0
    before = out.read_bytes()

    assert run(benchmark, *model, "--seconds", 3, "--json", out) == 2

    assert "another protocol (limits: '10 s" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_file_that_is_no_result_is_left_alone(benchmark, tmp_path, capsys):
    out = tmp_path / "notes.json"
    out.write_text("my notes", encoding="utf-8")

    assert run(benchmark, "--canonical", "--json", out) == 2

    assert "is no result of this command" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "my notes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--k", "1,5"], "pass@5 needs at least 5 samples"),
        (["--k", "x"], "--k needs whole numbers"),
        (["--samples", "3"], "all the same"),
        (["--limit", "0"], "--limit starts at 1"),
        (["--seconds", "0"], "must be above 0"),
        (["--language", "rs"], "no task in rust"),
        (["--model", "none"], "no model at"),
        (["--samples-from", "none.jsonl"], "cannot read none.jsonl"),
        (["--device", "abacus"], "--device knows"),
    ],
)
def test_bad_input_is_said_and_nothing_is_written(benchmark, arguments, said, tmp_path, capsys):
    out = tmp_path / "out.json"

    assert run(benchmark, *arguments, "--json", out) == 2

    assert said in capsys.readouterr().err
    if arguments[0] != "--device":
        assert not out.exists()


def test_where_no_result_can_be_written_nothing_is_run(benchmark, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(functional, "judge", lambda *_, **__: pytest.fail("it was run"))
    (tmp_path / "file").touch()

    assert run(benchmark, "--canonical", "--json", tmp_path / "file" / "out.json") == 2
    assert "file" in capsys.readouterr().err


def test_a_completion_of_an_unknown_task_is_refused(benchmark, tmp_path, capsys):
    made = written(tmp_path / "made.jsonl", {"task_id": "HumanEval/999", "completion": ""})

    assert run(benchmark, "--samples-from", made) == 2
    assert "has no task HumanEval/999" in capsys.readouterr().err


def test_multipl_e_has_no_references(tmp_path, capsys):
    assert run(written(tmp_path / "m.jsonl", {**MULTIPL_E, "language": "py"}), "--canonical") == 2
    assert "no reference solution" in capsys.readouterr().err


def test_a_language_that_cannot_be_run_is_refused_with_the_remedy(tmp_path, capsys):
    lua = written(tmp_path / "m.jsonl", {**MULTIPL_E, "language": "lua"})

    assert run(lua) == 2
    assert "lua cannot be run: known are python" in capsys.readouterr().err


def test_in_a_mixed_file_the_others_are_judged(tmp_path, capsys):
    python = {**MULTIPL_E, "name": "a", "language": "py", "prompt": "", "tests": ""}
    mixed = written(tmp_path / "m.jsonl", python, {**MULTIPL_E, "name": "b", "language": "lua"})
    made = written(
        tmp_path / "made.jsonl",
        {"task_id": "a", "completion": ""},
        {"task_id": "b", "completion": ""},
    )
    out = tmp_path / "out.json"

    assert run(mixed, "--samples-from", made, "--json", out) == 0

    rows = {each["language"]: each for each in result(out)["scores"]}
    assert (rows["python"]["pass@1"], rows["lua"]["pass@1"]) == (1.0, None)
    assert rows["lua"]["no compiler"] == 1
    assert "get no verdict" in capsys.readouterr().err


def test_where_nothing_isolates_programs_none_is_run_unasked(
    benchmark, monkeypatch, tmp_path, capsys
):
    bare = Confinement("none", network=False, files=False, refused=("namespaces: not permitted",))
    monkeypatch.setattr(eval_functional, "find_way", lambda: bare)
    monkeypatch.setattr(functional, "judge", lambda *_, **__: pytest.fail("it was run"))

    assert run(benchmark, "--canonical") == 2
    said = capsys.readouterr().err
    assert "network: NOT ISOLATED" in said
    assert "--trust-programs" in said
    assert "namespaces: not permitted" in said


def test_the_result_says_that_programs_were_trusted(benchmark, monkeypatch, tmp_path):
    python = ("/usr/bin/python3", "-I", "-S", "-B")
    if os.geteuid() == 0:
        if not Path(python[0]).exists():
            pytest.skip("needs a Python that every user can read")
        monkeypatch.setattr("trainer.evaluation.languages.python", lambda: python)
    bare = Confinement("none", network=False, files=False)
    monkeypatch.setattr(eval_functional, "find_way", lambda: bare)
    out = tmp_path / "out.json"

    assert run(benchmark, "--canonical", "--trust-programs", "--json", out) == 0
    assert "network: NOT ISOLATED" in result(out)["protocol"]["sandbox"]


def test_control_c_ends_the_programs_and_the_file_is_left_whole(benchmark, tmp_path):
    made = written(
        tmp_path / "made.jsonl",
        {"task_id": "HumanEval/0", "completion": "    while True: pass\n"},
        {"task_id": "HumanEval/1", "completion": "    while True: pass\n"},
    )
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "lsp_server.footnote", "eval", "functional", benchmark]
    command += ["--samples-from", made, "--seconds", "600", "--json", out, "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (programs := _programs_of(process.pid)):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()

    assert process.returncode == 130
    assert "0 verdicts are kept" in said
    assert result(out)["samples"] == []
    assert [each for each in programs if Path(f"/proc/{each}/exe").exists()] == []


def _programs_of(ancestor: int) -> list[int]:
    """Descendants that are a program under test: an interpreter that reads its source from stdin."""
    parents, programs = {}, []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                stat = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
                if (entry / "cmdline").read_bytes().endswith(b"-B\0-\0"):
                    programs.append(int(entry.name))
        except OSError:
            continue

    def descends(process: int) -> bool:
        while process in parents and process != ancestor:
            process = parents[process]
        return process == ancestor

    return [each for each in programs if descends(each)]


def test_verdicts_so_far_are_kept_when_a_run_is_stopped(benchmark, tmp_path, monkeypatch, capsys):
    def interrupted(items, title):
        yield items[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(eval_functional, "progress", interrupted)
    out = tmp_path / "out.json"

    with pytest.raises(KeyboardInterrupt):
        run(benchmark, "--canonical", "--json", out, "--jobs", 1)

    assert len(result(out)["samples"]) == 1
    assert "1 verdicts are kept" in capsys.readouterr().err


def test_the_ledger_counts_each_language_and_verdict(tmp_path):
    ledger = Ledger(tmp_path / "l.json", {"a": 1})
    for number, verdict in enumerate(("passed", "failed", "timed out", "memory")):
        ledger.add(Sample("t", number, "python", "", verdict, "", 0.1))
    ledger.save({"scores": []})
    task = functional.Task("t", "python", "", "", "", "", (), None)

    again = Ledger(tmp_path / "l.json", {"a": 1})
    (row,) = functional.summary([task], again, [1, 2])

    assert (row["pass@1"], row["pass@2"]) == (0.25, 0.5)
    assert (row["passed"], row["failed"], row["timed out"], row["memory"]) == (1, 1, 1, 1)


def test_starcoders_rows_stand_beside_the_same_protocol_only(tmp_path):
    records = [{**HUMANEVAL, "task_id": f"HumanEval/{number}"} for number in range(164)]
    whole = functional_benchmark(tmp_path, records)
    sampled = functional.Decoding(samples=50, temperature=0.2)

    rows = functional.comparable(whole, whole.tasks, sampled)

    assert {each.model: each.value for each in rows}["StarCoder 15.5B"] == 0.3357
    assert functional.comparable(whole, whole.tasks, functional.Decoding()) == []
    assert functional.comparable(whole, whole.tasks[:9], sampled) == []
    part = functional_benchmark(tmp_path, records[:10])
    assert functional.comparable(part, part.tasks, sampled) == []


def functional_benchmark(tmp_path, records):
    from trainer.evaluation.tasks import read_benchmark

    return read_benchmark(written(tmp_path / "b.jsonl", *records))
