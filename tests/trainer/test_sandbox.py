"""Programs that do what must not be done, run for real, in every way that this machine permits."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from trainer.evaluation import sandbox
from trainer.evaluation.sandbox import MB, Outcome, Program, SandboxUnavailable, Step

SYSTEM_PYTHON = ("/usr/bin/python3", "-I", "-S", "-B")


@pytest.fixture(params=["namespaces", "landlock"])
def way(request, monkeypatch):
    """A way that holds here. Root's own Python may be out of other users' reach; the system's is not."""
    if sys.platform != "linux":
        pytest.skip("only Linux isolates programs")
    refused = []
    for python, home in ((sandbox.python(), sandbox.python_home()), (SYSTEM_PYTHON, "/usr")):
        monkeypatch.setattr(sandbox, "python", lambda python=python: python)
        monkeypatch.setattr(sandbox, "python_home", lambda home=home: home)
        try:
            found = sandbox.find_way((request.param,))
        except SandboxUnavailable as error:
            refused.append(str(error))
            continue
        assert found.holds
        return request.param
    pytest.skip(f"not permitted here: {refused}")


def run(way, code: str, *, seconds=20.0, memory=512, arguments=(), **more) -> Outcome:
    command = (*sandbox.python(), "-", *arguments)
    step = Step("run", command, seconds, memory * MB, stdin=code, **more)
    return sandbox.run(Program({}, (step,), visible=(sandbox.python_home(),)), way)[0]


def processes_with(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_a_good_program_runs_and_is_heard(way):
    done = run(way, "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)")

    assert (done.exit, done.cause, done.output, done.errors) == (3, "", "out\n", "err\n")


def test_nothing_is_written_outside(way, tmp_path):
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and len(folder.parts) > 2:
            folder.chmod(0o755)
    code = """
import os, sys
for place in (sys.argv[1], "/etc/hostile", "/usr/hostile", "/var/tmp/hostile", "/dev/shm/hostile",
              "/proc/sys/kernel/core_pattern", "/hostile", "../hostile"):
    try:
        open(place, "w").write("x")
        print("wrote", place)
    except OSError:
        pass
open("inside", "w").write("yes")
print(open("inside").read())
"""
    done = run(way, code, arguments=(str(tmp_path / "hostile"),))

    assert done.output == "yes\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_shown_cannot_be_read(way, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("key", encoding="utf-8")
    secret.chmod(0o644)

    done = run(way, "import sys; print(open(sys.argv[1]).read())", arguments=(str(secret),))

    assert done.exit == 1
    assert "key" not in done.output


def test_no_socket_can_be_opened(way):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = """
import socket, sys
kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_STREAM),
         (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM)]
for kind in kinds:
    try:
        socket.socket(*kind).connect(("127.0.0.1", int(sys.argv[1])))
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""
        done = run(way, code, arguments=(str(server.getsockname()[1]),))

    assert done.output.split() == ["PermissionError"] * 4


def test_the_environment_is_empty(way, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy")
    monkeypatch.setenv("A_SECRET", "key")

    done = run(way, "import os; print(sorted(os.environ))")

    assert done.output == "['LANG', 'PATH', 'TMPDIR']\n"


def test_standard_input_is_at_its_end(way):
    assert "EOFError" in run(way, "input()").errors


def test_who_ignores_every_signal_is_ended_all_the_same(way):
    code = """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: signal.pause()
"""
    done = run(way, code, seconds=1)

    assert (done.exit, done.cause) == (-signal.SIGKILL, "time")


def test_who_computes_for_ever_is_ended(way):
    assert run(way, "while True: pass", seconds=1).cause == "time"


def test_a_hundred_gigabytes_are_not_to_be_had(way):
    done = run(way, "x = bytearray(100 << 30)", address_space=True)

    assert "MemoryError" in done.errors


def test_memory_in_small_pieces_is_noticed(way):
    done = run(way, "x = []\nwhile True: x.append(bytearray(1 << 20))", memory=200)

    assert (done.exit, done.cause) == (-signal.SIGKILL, "memory")


def test_children_count_as_memory_of_the_program(way):
    code = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = b"x" * 80_000_000
        time.sleep(60)
time.sleep(60)
"""
    assert run(way, code, memory=200).cause == "memory"


def test_a_fork_bomb_comes_to_an_end(way):
    marker = uuid.uuid4().hex
    code = """
import os, time
started = 0
try:
    while True:
        if os.fork() == 0:
            while True:
                try: os.fork()
                except OSError: time.sleep(0.01)
        started += 1
except OSError:
    print(started)
"""
    done = run(way, code, memory=8000, arguments=(marker,))

    assert 0 < int(done.output) <= sandbox.PROCESSES
    assert processes_with(marker) == []


def test_a_daemon_is_not_left_behind(way):
    marker = uuid.uuid4().hex
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
print("started")
"""
    done = run(way, code, arguments=(marker,))

    assert (done.exit, done.output) == (0, "started\n")
    assert processes_with(marker) == []


def test_printing_without_end_fills_no_disk(way):
    done = run(way, "while True: print('x' * 1_000_000)")

    assert done.exit != 0
    assert len(done.output) <= 8192


def test_files_without_end_fill_no_disk(way, monkeypatch):
    monkeypatch.setattr(sandbox, "BOX_BYTES", 20 * MB)
    code = "i = 0\nwhile True:\n    open(str(i), 'wb').write(b'x' * 5_000_000)\n    i += 1"

    done = run(way, code)

    assert done.cause == "files" or "No space left" in done.errors


def test_other_processes_are_out_of_reach(way):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        code = """
import os, signal, sys
for target in (int(sys.argv[1]), os.getppid(), -1):
    try: os.kill(target, signal.SIGKILL)
    except OSError: pass
for path in (f"/proc/{sys.argv[1]}/environ", f"/proc/{os.getppid()}/environ",
             f"/proc/{os.getppid()}/mem"):
    try: print("read", open(path, "rb").read(8))
    except OSError: pass
print("through")
"""
        done = run(way, code, arguments=(str(bystander.pid),))
        alive = bystander.poll() is None
        bystander.communicate(b"\n")

    assert alive
    assert "read" not in done.output
    assert done.cause == ""


def test_new_namespaces_and_mounts_are_refused(way):
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), libc.mount(b"none", b"/", None, 0x44000, None))
print(libc.ptrace(0, 0, 0, 0))
"""
    assert run(way, code).output.split() == ["-1", "-1", "-1"]


def test_a_step_that_fails_is_the_last_and_files_can_be_gone_before_one(way):
    def step(name, code, **more):
        return Step(name, (*sandbox.python(), "-"), 20, 512 * MB, stdin=code, **more)

    look = "import os; print(sorted(os.listdir()))"
    steps = (
        step("one", look),
        step("two", look, remove=("a/b",)),
        step("three", "raise SystemExit(1)"),
        step("four", look),
    )

    program = Program({"a/b": "x", "c": "y"}, steps, visible=(sandbox.python_home(),))
    done = sandbox.run(program, way)

    assert [each.name for each in done] == ["one", "two", "three"]
    assert done[0].output == "['a', 'c']\n"


def test_a_command_that_is_not_there_is_said(way):
    step = Step("run", ("/no/such/thing",), 5, 100 * MB)

    assert "cannot start /no/such/thing" in sandbox.run(Program({}, (step,)), way)[0].errors


def test_stopping_ends_what_runs(way):
    marker = uuid.uuid4().hex
    stop = threading.Event()
    step = Step("run", (*sandbox.python(), "-", marker), 60, 512 * MB, stdin="while True: pass")
    waiting = threading.Thread(target=lambda: (_until(lambda: processes_with(marker)), stop.set()))
    waiting.start()

    with pytest.raises(SandboxUnavailable, match="interrupted"):
        sandbox.run(Program({}, (step,), visible=(sandbox.python_home(),)), way, stop)
    waiting.join()

    assert processes_with(marker) == []


def test_nothing_outlives_a_judge_that_was_killed(way, tmp_path):
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o755)
    marker = uuid.uuid4().hex
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from trainer.evaluation import sandbox
step = sandbox.Step("run", {(*sandbox.python(), "-", marker)!r}, 600, 10**9, stdin="while True: pass")
sandbox.run(sandbox.Program({{}}, (step,), visible=({sandbox.python_home()!r},)), {way!r})
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    judge = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
    _until(lambda: len(processes_with(marker)) >= 2)  # the judge's own command line has it too
    judge.kill()
    judge.wait()

    _until(lambda: not processes_with(marker) and not list(tmp_path.iterdir()))
    assert processes_with(marker) == []
    assert list(tmp_path.iterdir()) == []


def _until(holds) -> None:
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.05)


def test_the_trial_notices_a_way_that_does_not_hold(monkeypatch):
    monkeypatch.setattr(sandbox, "python", lambda: SYSTEM_PYTHON)
    if not Path(SYSTEM_PYTHON[0]).exists():
        pytest.skip("needs the system's Python")

    found = sandbox.find_way(("none",))

    assert (found.network, found.files, found.holds) == (False, False, False)
    assert "NOT ISOLATED" in found.describe()


def test_no_way_at_all_says_so(monkeypatch):
    monkeypatch.setattr(sandbox, "python", lambda: ("/no/python",))

    with pytest.raises(SandboxUnavailable, match="no program can be run here"):
        sandbox.find_way()
