"""Several processes of one command: they know of each other, end together, and say why they failed."""

import os
import signal
import subprocess
import sys

import pytest

from trainer.launching import launch

_KNOW = "import os; assert os.environ['WORLD_SIZE'] == '2'; print(os.environ['RANK'], flush=True)"
_WAITS = """
import os, sys, time
if os.environ["RANK"] == "1":
    sys.exit("out of luck")
time.sleep(600)
"""
_STOPS = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
if os.environ["RANK"] == "0":
    print("ready", flush=True)
time.sleep(600)
"""


def test_each_process_knows_its_rank_and_the_first_has_the_terminal(capfd):
    assert launch([sys.executable, "-c", _KNOW], 2) == 0
    assert capfd.readouterr().out == "0\n"


@pytest.mark.slow
def test_when_one_fails_the_others_are_stopped_and_its_words_are_shown(capfd):
    assert launch([sys.executable, "-c", _WAITS], 2) == 1
    assert "out of luck" in capfd.readouterr().err


def test_an_interrupt_reaches_all_of_them():
    outer = f"import sys; from trainer.launching import launch; sys.exit(launch([sys.executable, '-c', {_STOPS!r}], 2))"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        os.kill(parent.pid, signal.SIGINT)
        _, errors = parent.communicate()

    assert parent.returncode == 130
    assert errors == ""
