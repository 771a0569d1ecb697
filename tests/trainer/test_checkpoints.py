"""A run's checkpoints: whole or not there, newest good one first, nothing good lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import pytest
import torch

from trainer import checkpoints

STATE = {"master/one": torch.arange(6.0).reshape(2, 3), "step/one": torch.tensor(3.0)}


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_only_the_newest_stay_and_named_ones_always(tmp_path):
    checkpoints.save(tmp_path, 1, {"at": 1}, STATE, keep=2, name=checkpoints.STABLE)
    for step in range(5):
        checkpoints.save(tmp_path, step, {"at": step}, STATE, keep=2)

    assert names(tmp_path) == ["checkpoint-00000003", "checkpoint-00000004", "stable"]
    found = checkpoints.latest(tmp_path)
    assert found.values["at"] == 4
    assert all(torch.equal(found.tensors[name], STATE[name]) for name in STATE)


def test_a_damaged_one_is_passed_over_for_the_one_before(tmp_path, capsys):
    for step in (1, 2):
        checkpoints.save(tmp_path, step, {"at": step}, STATE, keep=2)
    weights = tmp_path / "checkpoint-00000002" / "state.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3] + b"xyz")

    assert checkpoints.latest(tmp_path).values["at"] == 1
    assert "checkpoint-00000002" in capsys.readouterr().err


def test_when_all_are_damaged_nothing_is_begun_anew_by_accident(tmp_path):
    checkpoints.save(tmp_path, 1, {}, STATE, keep=2)
    (tmp_path / "checkpoint-00000001" / "state.json").write_text("{", encoding="utf-8")

    with pytest.raises(ValueError, match="new folder"):
        checkpoints.latest(tmp_path)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    checkpoints.save(tmp_path, 1, {}, STATE, keep=1)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))

    with pytest.raises(checkpoints.SaveFailed, match="make room"):
        checkpoints.save(tmp_path, 2, {}, STATE, keep=1)
    assert names(tmp_path) == ["checkpoint-00000001"]


def test_a_disk_that_fills_while_writing_leaves_the_old_one(tmp_path, monkeypatch):
    checkpoints.save(tmp_path, 1, {}, STATE, keep=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(checkpoints.SaveFailed, match="No space left"):
        checkpoints.save(tmp_path, 2, {}, STATE, keep=1)
    assert names(tmp_path) == ["checkpoint-00000001"]
    assert checkpoints.latest(tmp_path).values["format"] == 2


_SAVER = """
import sys, torch
from pathlib import Path
from trainer import checkpoints
state = {f"master/{n}": torch.full((512, 1024), float(n)) for n in range(8)}
step = 0
while True:
    step += 1
    checkpoints.save(Path(sys.argv[1]), step, {"at": step}, state, keep=2)
    print(step, flush=True)
"""


@pytest.mark.slow
def test_killed_while_saving_it_goes_on_from_a_whole_one(tmp_path):
    for delay in (0.0, 0.013, 0.031, 0.052):
        with subprocess.Popen(
            [sys.executable, "-c", _SAVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            first = int(child.stdout.readline())
            time.sleep(delay)
            os.kill(child.pid, signal.SIGKILL)

        found = checkpoints.latest(tmp_path)
        assert found.values["at"] >= first
        checkpoints.sweep(tmp_path)
        assert all(not name.startswith(".") for name in names(tmp_path))
        for name in names(tmp_path):
            shutil.rmtree(tmp_path / name)
