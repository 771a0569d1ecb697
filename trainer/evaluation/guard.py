"""The process between us and a program under test: it confines, starts, watches and kills it.

It reads one order (JSON) from stdin, runs its steps one after the other, and writes one answer.
When stdin closes, whoever ordered is gone, and everything here ends. Started by
`trainer.evaluation.sandbox`, in an interpreter of its own; it needs the standard library alone.
"""

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.evaluation import confinement

TAIL = 8192  # bytes of what a step wrote that are kept, from its end
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    try:
        files = [_unnamed(order) for _ in order["steps"]]
        if order["way"] == "namespaces":
            # In a child: whoever is inside cannot see the scratch folder to remove it.
            inside = os.fork()
            if inside == 0:
                _in_namespaces(order, files)
            os.waitpid(inside, 0)
            return 0
        if sys.platform == "linux":
            confinement.adopt_orphans()
        box = Path(order["scratch"]) / "box"
        box.mkdir()
        os.chdir(box)
        _work(order, files, str(box))
    except OSError as error:
        _answer({"refused": str(error)})
    finally:
        shutil.rmtree(order["scratch"], ignore_errors=True)  # whoever gave the order may be gone
    return 0


def _unnamed(order: dict[str, Any]) -> tuple[int, int]:
    """Files without a name for a step's stdout and stderr."""
    opened = []
    for _ in range(2):
        with tempfile.TemporaryFile(dir=order["scratch"]) as file:
            opened.append(os.dup(file.fileno()))
    return opened[0], opened[1]


def _in_namespaces(order: dict[str, Any], files: list[tuple[int, int]]) -> None:
    """Never returns: the kernel ends all that is left in the namespace with its first process."""
    try:
        confinement.enter_namespaces()
        confinement.die_with_parent()
        first = os.fork()
        if first:
            os.waitpid(first, 0)
            os._exit(0)
        confinement.die_with_parent()
        confinement.hide_memory()
        root = Path(order["scratch"]) / "root"
        root.mkdir()
        confinement.build_root(root, order["visible"], "/box", order["box_bytes"])
        _work(order, files, "/box")
    except OSError as error:
        _answer({"refused": str(error)})
    finally:
        sys.stdout.flush()
        os._exit(0)


def _bytes(text: str) -> bytes:
    # Halves of characters come in through JSON: what refuses them is the program's compiler.
    return text.encode("utf-8", "surrogatepass")


def _answer(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _work(order: dict[str, Any], files: list[tuple[int, int]], box: str) -> None:
    for name, text in order["files"].items():
        path = Path(box) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(text))
    user = _user()
    if user is not None:
        for place in [Path(box), *Path(box).rglob("*")]:
            os.chown(place, user, user)
    done = []
    for step, streams in zip(order["steps"], files, strict=True):
        for name in step["remove"]:
            (Path(box) / name).unlink(missing_ok=True)
        done.append(_step(order, step, streams, box))
        if done[-1]["exit"] != 0 or done[-1]["cause"]:
            break
    _answer({"steps": done})


def _user() -> int | None:
    """The user that programs run as, when that is not who we are: the administrator's go down."""
    if os.geteuid() != 0:
        return None
    # Every guard has a number of its own, for processes are counted by user.
    return confinement.spare_user(os.fstat(1).st_ino)


def _step(
    order: dict[str, Any], step: dict[str, Any], streams: tuple[int, int], box: str
) -> dict[str, Any]:
    started = time.monotonic()
    source = _pipe_of(_bytes(step["stdin"]))
    main_process = os.fork()
    if main_process == 0:
        _become(order, step, (source, *streams), box)
    os.close(source)
    ended, cause = _watch(order, step, main_process, started)
    seconds = time.monotonic() - started
    _kill_all(order, main_process)
    code = os.waitstatus_to_exitcode(ended) if ended is not None else -signal.SIGKILL
    return {
        "name": step["name"],
        "exit": code,
        "cause": cause or ("time" if code == -signal.SIGXCPU else ""),
        "seconds": seconds,
        "output": _tail(streams[0]),
        "errors": _tail(streams[1]),
    }


def _pipe_of(content: bytes) -> int:
    """The end to read of a pipe that a child fills: unlike a file, it can be read only once."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            os.close(read)
            while content:
                content = content[os.write(write, content) :]
        except OSError:
            pass  # the program reads no further
        finally:
            os._exit(0)
    os.close(write)
    return read


def _become(
    order: dict[str, Any], step: dict[str, Any], streams: tuple[int, int, int], box: str
) -> None:
    """Turn this child into the program; never returns."""
    try:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 4096)
        _limit(order, step)
        user = Path(box).stat().st_uid
        if user != os.geteuid():
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        if order["way"] != "none":
            confinement.no_new_privileges()
            if order["way"] == "landlock":
                shown = [*order["visible"], "/proc", "/dev"]
                confinement.restrict_files(shown, [box, "/dev/null"])
            confinement.filter_calls()
        environment = {each: value.replace("{box}", box) for each, value in step["env"].items()}
        os.chdir(box)
        os.execve(step["command"][0], step["command"], environment)  # noqa: S606 -- that is the point
    except OSError as error:
        os.write(2, f"cannot start {step['command'][0]}: {error}\n".encode())
    finally:
        os._exit(126)


def _limit(order: dict[str, Any], step: dict[str, Any]) -> None:
    # The clock on the wall decides; several threads may use this many seconds in that time.
    seconds = (int(step["seconds"]) + 1) * (os.cpu_count() or 1)
    processes = order["processes"]
    if order["way"] != "namespaces" and os.geteuid() != 0:
        processes += _tasks_of(os.getuid())  # here the limit counts all that the user runs
    limits = {
        resource.RLIMIT_CPU: (seconds, seconds + 1),
        resource.RLIMIT_FSIZE: (order["file_bytes"],) * 2,
        resource.RLIMIT_NPROC: (processes,) * 2,
        resource.RLIMIT_NOFILE: (512,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    if step["address_space"]:
        limits[resource.RLIMIT_AS] = (step["memory_bytes"],) * 2
    for what, (soft, hard) in limits.items():
        most = resource.getrlimit(what)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        with contextlib.suppress(ValueError):  # macOS knows some of them by name only
            resource.setrlimit(what, (soft, hard))


def _tasks_of(user: int) -> int:
    count = 0
    for entry in _processes():
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == user:
                count += len(list((entry / "task").iterdir()))
    return count


def _processes() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (each for each in Path("/proc").iterdir() if each.name.isdigit())


# Watching and killing.


def _watch(
    order: dict[str, Any], step: dict[str, Any], main_process: int, started: float
) -> tuple[int | None, str]:
    """The status of the main process and why it was ended ("" when it ended by itself)."""
    pause = 0.002
    while True:
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None, ""
            if process == main_process:
                return status, ""
            if process == 0:
                break
        if time.monotonic() - started > step["seconds"]:
            return None, "time"
        if _resident(order) > step["memory_bytes"]:
            return None, "memory"
        if order["way"] != "namespaces" and _stored(order["box_bytes"]):
            return None, "files"  # in a namespace the box itself is of that size
        if _abandoned(pause):
            _kill_all(order, main_process)
            raise OSError("whoever gave the order is gone")
        pause = min(0.02, pause * 1.5)


def _abandoned(pause: float) -> bool:
    """Wait a moment; has whoever gave the order closed the line?"""
    readable, _, _ = select.select([0], [], [], pause)
    return bool(readable) and os.read(0, 1) == b""


def _resident(order: dict[str, Any]) -> int:
    """Bytes in memory of all processes under test."""
    total = 0
    for process in _under_test(order):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()
            total += int(fields[1]) * _PAGE
    return total


def _stored(most: int) -> bool:
    """Do the files in the box, which is where we are, take more than that?"""
    total = 0
    for folder, _, names in os.walk("."):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(folder, name).lstat().st_blocks * 512
            if total > most:
                return True
    return False


def _under_test(order: dict[str, Any]) -> list[int]:
    """In a namespace all processes but ourselves; elsewhere our descendants."""
    if order["way"] == "namespaces":
        return [int(each.name) for each in _processes() if each.name != "1"]
    parents: dict[int, list[int]] = {}
    for entry in _processes():
        with contextlib.suppress(OSError, IndexError, ValueError):
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            fields = text.rpartition(")")[2].split()
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def _kill_all(order: dict[str, Any], main_process: int) -> None:
    """End every process under test, also those that left their session, and gather them up."""
    if order["way"] == "namespaces":
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(main_process, signal.SIGKILL)
        for _ in range(100):
            left = _under_test(order)
            # Stopped first, so that none can start another while its brothers are killed.
            for sent in (signal.SIGSTOP, signal.SIGKILL):
                for process in left:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(process, sent)
            _gather(block=False)
            if not left:
                break
    _gather(block=order["way"] == "namespaces")


def _gather(*, block: bool) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0 if block else os.WNOHANG)[0]:
            pass


def _tail(stream: int) -> str:
    size = os.fstat(stream).st_size
    start = max(0, size - TAIL)
    return os.pread(stream, TAIL, start).decode("utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
