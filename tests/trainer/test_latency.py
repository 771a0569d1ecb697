"""The typing session: what is typed, how it is counted, and that the report is made of what ran."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from engine import CancelToken, Completion, CompletionOptions, Gap, ModelInfo
from engine.backends import BACKENDS
from tests.support.gguf import converted
from tests.support.tiny import write_tiny
from trainer.commands import bench, bench_completion
from trainer.evaluation import llama_peer
from trainer.evaluation.keystrokes import (
    ACCEPTED,
    EDITED,
    JUMPED,
    OPENED,
    RETURNED,
    TYPED,
    folder_documents,
    sessions,
)
from trainer.evaluation.latency import (
    Sample,
    cancel_latencies,
    in_turn,
    percentile,
    rates,
    row_of,
    timed,
    where_it_ran,
)
from trainer.evaluation.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

FILE = "".join(
    f"def function_{n}(value):\n    # a remark that nobody types\n    return value + {n}\n\n\n"
    for n in range(120)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.py").write_text(FILE)
    (tmp_path / "source" / "b.py").write_text(FILE.replace("value", "other"))
    (tmp_path / "source" / "short.py").write_text("x = 1\n")
    (tmp_path / "source" / "latin.py").write_bytes(b"# \xe9\n" * 4000)
    (tmp_path / "source" / "picture.png").write_bytes(b"\x89PNG")
    return tmp_path / "source"


@pytest.fixture(autouse=True)
def engines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has tests of its own."""
    monkeypatch.setattr(bench_completion, "through_protocol", lambda *_given, **_more: None)


class Counting:
    """A completer that only takes notes."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        self.gaps.append(gap)
        return Completion("x", "end", prompt_tokens=10, cached_tokens=4, new_tokens=2)

    def describe(self) -> ModelInfo:
        return ModelInfo("n", "cpu", "none", 0)

    def close(self) -> None:
        pass


def test_source_files_of_a_folder_are_found(folder: Path) -> None:
    found = list(folder_documents(folder))

    assert [each.path for each in found] == ["a.py", "b.py", "short.py"]
    assert {each.language for each in found} == {"python"}


def test_a_session_opens_types_accepts_jumps_edits_and_returns(folder: Path) -> None:
    one, two = sessions(folder_documents(folder), count=2, keystrokes=5)

    assert [each.kind for each in one.steps] == [OPENED, *[TYPED] * 5, ACCEPTED, JUMPED, EDITED]
    assert [each.kind for each in two.steps][-2:] == [EDITED, RETURNED]
    assert two.steps[-1].gap == one.steps[-1].gap
    by_kind = {each.kind: each.gap for each in reversed(one.steps)}
    opened, accepted = by_kind[OPENED], by_kind[ACCEPTED]
    typed = [each.gap for each in one.steps if each.kind == TYPED]

    assert [len(each.prefix) - len(opened.prefix) for each in typed] == [1, 2, 3, 4, 5]
    assert {each.suffix for each in typed} == {opened.suffix}
    assert opened.suffix.startswith("\n")
    line = typed[-1].prefix.rsplit("\n", 1)[1]
    assert FILE.startswith(typed[-1].prefix)
    assert not line.strip().startswith("#")
    assert accepted.prefix.startswith(typed[-1].prefix)
    assert "\n" in accepted.prefix[len(typed[-1].prefix) :]
    assert abs(len(by_kind[JUMPED].prefix) - len(opened.prefix)) > 1000
    edited = by_kind[EDITED]
    assert edited.suffix == opened.suffix
    assert len(edited.prefix) > len(opened.prefix)
    assert edited.prefix.endswith(opened.prefix[-50:])


def test_the_same_files_give_the_same_sessions(folder: Path) -> None:
    once = sessions(folder_documents(folder), count=5, keystrokes=3)

    assert once == sessions(reversed(list(folder_documents(folder))), count=5, keystrokes=3)
    assert len(once) == 2


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([3.0, 1.0, 2.0], 0.5, 2.0), ([1.0], 0.95, 1.0), (list(range(1, 101)), 0.95, 95)],
)
def test_percentiles(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_row_keeps_what_was_done_apart() -> None:
    row = row_of(
        "e",
        {
            OPENED: [Sample(100.0, 50, 0, 4)],
            TYPED: [Sample(10.0, 52, 40, 2, 0), Sample(20.0, 54, 44, 3, 3)],
            JUMPED: [Sample(50.0, 52, 0, 3, 5)],
        },
    )

    assert (row.typed_p50, row.typed_p95, row.opened_p50, row.jumped_p50) == (10, 20, 100, 50)
    assert (row.prompt_tokens, row.computed_tokens, row.new_tokens) == (52, 11, 3)
    assert row.model_runs == 1.5
    assert math.isnan(row.accepted_p50)


def test_runs_that_are_not_known_are_not_counted() -> None:
    assert math.isnan(row_of("e", {TYPED: [Sample(10.0, 52, 40, 2)]}).model_runs)


def test_rates_are_of_prompts_that_were_run() -> None:
    found = rates(
        {
            OPENED: [Sample(12.0, 50, 0, 4, 2, 10.0, 2.0), Sample(1.0, 50, 50, 4, 0, 0.0, 0.5)],
            TYPED: [Sample(3.0, 50, 48, 4, 2, 1.0, 2.0)],
        }
    )

    assert (found["prefill_ms"], found["prefill_tokens_s"]) == (10.0, 5000.0)
    assert (found["step_ms"], found["tokens_a_run"]) == (1.0, 2.0)


def test_the_keystrokes_that_ran_the_model_are_told_apart() -> None:
    ours = [Sample(1.0, 50, 50, 4, 0), Sample(5.0, 50, 50, 4, 3), Sample(7.0, 51, 50, 4, 0)]
    theirs = [Sample(9.0, 50, 49, 4), Sample(10.0, 50, 49, 4), Sample(12.0, 51, 49, 4)]

    found = where_it_ran({"ours": ours, "theirs": theirs})

    assert found == {"keystrokes": 2, "p50": {"ours": 5.0, "theirs": 10.0}}


def test_a_sample_tells_what_the_completion_was_made_of() -> None:
    sample = timed(Counting(), Gap("a", "b"))

    assert (sample.prompt_tokens, sample.cached_tokens, sample.new_tokens) == (10, 4, 2)
    assert sample.milliseconds >= 0


def test_every_engine_comes_first_in_its_turn(folder: Path) -> None:
    session = sessions(folder_documents(folder), count=1, keystrokes=1)[0]
    seen: list[str] = []
    engines: list[Any] = [lambda _s, n=name: seen.append(n) for name in "abc"]
    for turn in range(3):
        in_turn(engines, session, turn)

    assert "".join(seen) == "abcbcacab"


def test_what_finished_before_it_was_cancelled_is_not_counted() -> None:
    assert cancel_latencies(Counting(), [Gap("a", "")] * 3) == []


def test_the_command_reports_what_ran(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny(tmp_path / "tiny")
    arguments = ["completion", str(folder), "--model", str(model), "--sessions", "1"]
    code = bench.main([*arguments, "--keystrokes", "2", "--json"])
    result = json.loads(capsys.readouterr().out)

    assert code == 0
    assert (result["sessions"], result["keystrokes"]) == (1, 2)
    assert [row["engine"].split(",")[0] for row in result["rows"]] == [
        "footnote",
        *(["footnote on llama.cpp Q8_0"] if llama_peer.is_installed() else []),
        "footnote float32",
        "footnote bfloat16",
        *(["llama.cpp Q8_0"] if llama_peer.is_installed() else []),
        "generate float32",
        "generate float32",
        "generate bfloat16",
        "generate bfloat16",
    ]
    assert result["same_text"]["float32"] == 1.0
    by_name = {row["engine"]: row for row in result["rows"]}
    assert by_name["generate float32"]["computed_tokens"] > 100
    assert by_name["generate float32, cache kept by hand"]["computed_tokens"] < 10
    assert by_name["footnote float32"]["computed_tokens"] <= 64
    assert result["floors"]["step_ms"] > 0
    assert result["floors"]["prefill_ms"] > 0
    assert result["rates"]["tokens_a_run"] > 0
    assert result["worker_ready_s"] > 0
    if llama_peer.is_installed():
        theirs = by_name["llama.cpp Q8_0, its prompt cache on"]
        assert theirs["computed_tokens"] < 10
        assert result["ratios"]["llama.cpp Q8_0, its prompt cache on"] > 0
        assert by_name["footnote on llama.cpp Q8_0"]["computed_tokens"] < 10


@pytest.mark.skipif(not llama_peer.is_installed(), reason="xllamacpp is not installed")
def test_a_gguf_file_is_measured_beside_the_server_of_its_library(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = converted(write_tiny(tmp_path / "tiny"), tmp_path / "tiny.gguf")
    arguments = ["--model", str(model), "--json"]
    code = bench.main(
        ["completion", str(folder), "--sessions", "1", "--keystrokes", "2", *arguments]
    )
    result = json.loads(capsys.readouterr().out)

    assert code == 0
    assert [row["engine"] for row in result["rows"]] == [
        "footnote, served from its worker (f32)",
        "footnote, in this process",
        "llama.cpp, its prompt cache on",
    ]
    assert all(row["computed_tokens"] < 10 for row in result["rows"])
    assert result["floors"] is None
    assert bench.main(["backends", *arguments]) == 0
    timed = json.loads(capsys.readouterr().out)
    assert timed["chosen"].startswith("llama_cpp")
    assert [each["backend"] for each in timed["backends"]] == ["llama_cpp"]


def test_a_replay_tells_memory_by_the_minute(folder: Path) -> None:
    completer = Counting()
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    held = iter([100.0, 101.0, 101.0, 102.0])
    seen = list(
        replay(
            completer,
            sessions(folder_documents(folder), count=2, keystrokes=5),
            2.5,
            lambda: next(held),
            pause=pause,
            clock=lambda: now[0],
        )
    )

    assert [int(each.minutes) for each in seen] == [1, 2, 2]
    assert seen[-1].memory_mb == [100.0, 101.0, 101.0]
    assert seen[-1].requests == len(completer.gaps)
    assert seen[-1].requests > 200  # a typist is not faster, nor much slower
    assert seen[-1].last_p50_ms >= 0


def test_the_command_replays(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny(tmp_path / "tiny")
    arguments = ["replay", str(folder), "--model", str(model), "--sessions", "1"]
    code = bench.main([*arguments, "--keystrokes", "2", "--minutes", "0.02"])

    assert code == 0
    assert "requests in 0 minutes" in capsys.readouterr().out
    assert bench.main([*arguments, "--minutes", "0"]) == 2
    assert "more than 0" in capsys.readouterr().err


def test_every_backend_is_timed_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny(tmp_path / "tiny")
    code = bench.main(["backends", "--model", str(model), "--threads", "1", "--json"])
    result = json.loads(capsys.readouterr().out)

    assert code == 0
    assert {each["backend"] for each in result["backends"]} >= set(BACKENDS)
    assert all(bool(each["problem"]) != (each["step_ms"] > 0) for each in result["backends"])
    assert any(each["backend"] == "torch" and each["step_ms"] > 0 for each in result["backends"])
    assert bench.main(["backends", "--model", str(model)]) == 0
    assert f"{result['chosen']} is the choice" in capsys.readouterr().out


def test_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny(tmp_path / "tiny")

    assert bench.main(["completion", str(tmp_path / "no"), "--model", str(model)]) == 2
    assert "name one with source files" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert bench.main(["completion", str(tmp_path / "empty"), "--model", str(model)]) == 2
    assert "no file is long enough" in capsys.readouterr().err
    assert bench.main(["completion", "--model", str(model)]) == 2
    assert "footnote setup" in capsys.readouterr().err
