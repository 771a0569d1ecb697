"""Runs one program that nobody vouches for: limited, without network, writing in a box of its own.

Three ways, the best that the machine permits is found by trying:

    namespaces  a root of its own with the toolchain read-only and one small writable box, no
                network interface, no sight of other processes (Linux; user namespaces or root)
    landlock    the machine's files by Landlock, sockets by a filter of system calls (Linux 5.13)
    none        rlimits and a process group only: for programs that somebody does vouch for

`trainer.evaluation.guard` does it in a process between; docs/decisions says what it does not hold.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Way = Literal["namespaces", "landlock", "none"]

MB = 1_000_000
FILE_BYTES = 64 * MB  # the largest file, and the most that is printed
BOX_BYTES = 256 * MB  # all files of a program, with namespaces
PROCESSES = 128  # and threads: a Java virtual machine alone takes thirty

_SYSTEM = (
    "/usr /bin /sbin /lib /lib32 /lib64 /etc/alternatives /etc/ld.so.cache /etc/ld.so.conf "
    "/etc/ld.so.conf.d /etc/passwd /etc/group /etc/nsswitch.conf /etc/localtime"
).split()
_ROOT = Path(__file__).resolve().parents[2]
_START = (
    f"import sys; sys.path.append({str(_ROOT)!r}); "
    "from trainer.evaluation.guard import main; sys.exit(main())"
)


class SandboxUnavailable(Exception):
    """Programs cannot be run here as asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command in the box, absolute or "./name"; `stdin` is its whole input."""

    name: str
    command: tuple[str, ...]
    seconds: float
    memory_bytes: int
    address_space: bool = False  # also by rlimit: exact, but some runtimes reserve far more
    stdin: str = ""
    remove: tuple[str, ...] = ()  # files that are gone before it starts
    env: Mapping[str, str] = field(default_factory=dict)  # "{box}" in a value is the box


@dataclass(frozen=True, slots=True)
class Program:
    """Files for the box and the steps, of which each must exit with 0 for the next to run."""

    files: Mapping[str, str]
    steps: tuple[Step, ...]
    visible: tuple[str, ...] = ()  # folders to be read besides the system's


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended: its exit code (minus the signal), or why it was ended."""

    name: str
    exit: int
    cause: str  # "", "time", "memory" or "files" (too many bytes of them)
    seconds: float
    output: str  # the last 8 KiB
    errors: str


@dataclass(frozen=True, slots=True)
class Confinement:
    """A way, and what a trial with a hostile program showed of it."""

    way: Way
    network: bool  # is the program cut off
    files: bool  # do writes outside the box fail
    refused: tuple[str, ...] = ()  # the better ways, and why the machine has not got them

    @property
    def holds(self) -> bool:
        return self.network and self.files

    def describe(self) -> str:
        network = "none" if self.network else "NOT ISOLATED"
        files = "its own box only" if self.files else "NOT ISOLATED"
        return f"{self.way} (network: {network}; writes: {files})"


def run(program: Program, way: Way, stop: threading.Event | None = None) -> list[Outcome]:
    """Run the steps; returns those that began. Nothing of them is left behind, whatever they do.

    SandboxUnavailable when the way is refused here, or when `stop` was set meanwhile.
    """
    scratch = tempfile.mkdtemp(prefix="footnote-box-")
    Path(scratch).chmod(0o711)  # another user must reach the box; it cannot list this
    try:
        answer = _ask(_order(program, way, scratch), _patience(program), stop)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if "refused" in answer:
        raise SandboxUnavailable(str(answer["refused"]))
    return [Outcome(**each) for each in answer["steps"]]


def _order(program: Program, way: Way, scratch: str) -> dict[str, Any]:
    steps = []
    for step in program.steps:
        env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": "{box}", **step.env}
        steps.append({**asdict(step), "env": env})
    return {
        "way": way,
        "scratch": scratch,
        "files": dict(program.files),
        "steps": steps,
        "visible": _outermost([*_SYSTEM, *program.visible]),
        "box_bytes": BOX_BYTES,
        "file_bytes": FILE_BYTES,
        "processes": PROCESSES,
    }


def _outermost(paths: Sequence[str]) -> list[str]:
    """Without those that lie in another one."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(each) for each in paths}):
        if not any(path.startswith(f"{each}/") for each in kept):
            kept.append(path)
    return kept


def _patience(program: Program) -> float:
    """Seconds after which the guard itself is taken to be stuck."""
    return sum(each.seconds for each in program.steps) + 60


def _ask(order: Mapping[str, Any], patience: float, stop: threading.Event | None) -> dict[str, Any]:
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
        start_new_session=True,
    )
    assert guard.stdin is not None
    assert guard.stdout is not None
    assert guard.stderr is not None
    try:
        with suppress(BrokenPipeError):
            guard.stdin.write(json.dumps(order).encode() + b"\n")
            guard.stdin.flush()
        waited = 0.0
        while True:
            with suppress(subprocess.TimeoutExpired):
                guard.wait(0.1)
                break
            waited += 0.1
            if (stop is not None and stop.is_set()) or waited > patience:
                break
        if guard.returncode is None:
            raise SandboxUnavailable("interrupted" if waited <= patience else "the guard hung")
        answer = guard.stdout.read()
        if not answer:
            lines = guard.stderr.read().decode(errors="replace").strip().splitlines()
            raise SandboxUnavailable(lines[-1] if lines else "the guard was killed")
        values: dict[str, Any] = json.loads(answer)
        return values
    finally:
        _end(guard)


def _end(guard: subprocess.Popen[bytes]) -> None:
    """Close its line, upon which it ends all it started; then itself, should it not."""
    for stream in (guard.stdin, guard.stdout, guard.stderr):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
    with suppress(subprocess.TimeoutExpired):
        guard.wait(5)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(guard.pid, signal.SIGKILL)
    guard.wait()


# Which way does this machine permit? Tried with a program that does what must not be done.

_TRIAL = """
import socket, sys
address, place = sys.argv[1:]
try:
    with open(place, "w") as file: file.write("x")
    print("wrote")
except OSError: pass
try:
    host, port = address.rsplit(":", 1)
    socket.create_connection((host, int(port)), 2).close()
    print("connected")
except OSError: pass
print("ran")
"""


def find_way(ways: Sequence[Way] = ("namespaces", "landlock", "none")) -> Confinement:
    """The first way in which a program runs here and can neither connect nor write outside.

    Where none of the isolating ones is to be had, "none" tells what does not hold. Raises
    SandboxUnavailable when programs do not run at all.
    """
    refused: list[str] = []
    for way in ways:
        try:
            found = _try(way)
        except (SandboxUnavailable, OSError) as error:
            refused.append(f"{way}: {error}")
            continue
        if found.holds or way == ways[-1]:
            return Confinement(way, found.network, found.files, tuple(refused))
        refused.append(f"{way}: {found.describe()}")
    raise SandboxUnavailable(
        f"no program can be run here ({'; '.join(refused)}): use Linux or macOS"
    )


def _try(way: Way) -> Confinement:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        Path(folder).chmod(0o777)  # only the sandbox is to stand in the way
        host, port = server.getsockname()
        place = Path(folder) / "written"
        command = (*python(), "-", f"{host}:{port}", str(place))
        step = Step("trial", command, 20, 512 * MB, stdin=_TRIAL)
        outcome = run(Program({}, (step,), visible=(python_home(),)), way)[0]
        if "ran" not in outcome.output:
            said = outcome.errors.strip() or f"exit code {outcome.exit}"
            if os.geteuid() == 0 and "Permission denied" in said:
                said += ": run as another user than root, or with a Python that all may read"
            raise SandboxUnavailable(said)
        wrote = "wrote" in outcome.output or place.exists()
    return Confinement(way, network="connected" not in outcome.output, files=not wrote)


def python() -> tuple[str, ...]:
    """This interpreter without environment and packages: programs see the standard library."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return (os.path.realpath(base), "-I", "-S", "-B")


def python_home() -> str:
    return os.path.realpath(sys.base_prefix)
