"""What the Linux kernel takes away from a program: namespaces, Landlock and a filter of calls.

Plain functions over system calls that Python 3.11 has no names for. They change the process that
calls them, so only `trainer.evaluation.guard` does, in a process of its own; the standard library
is all they need. Every failure is an OSError. Numbers are those of the kernel's headers; Landlock
is Linux 5.13's, `mount_setattr` 5.12's.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_NEW_NS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_ANY_NAMESPACE = 0x7E020000  # the flags of clone(2) that ask for one

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_READ_ONLY, _NO_SUID, _NO_DEVICES = 1, 2, 4  # MOUNT_ATTR_*
_AT_RECURSIVE, _AT_HERE, _DETACH = 0x8000, -100, 2

# System calls by machine: its AUDIT_ARCH, pivot_root, clone, clone3, and what is refused. Refused
# are sockets, other processes' memory, namespaces and mounts, and calls known for kernel holes.
_MACHINES = {
    "x86_64": (
        0xC000003E, 155, 56, 435,
        (41, 101, 155, 165, 166, 246, 248, 249, 250, 272, 298, 304, 308, 310, 311, 321, 323,
         425, 426, 427, 428, 429, 430, 442),
    ),
    "aarch64": (
        0xC00000B7, 41, 220, 435,
        (198, 117, 41, 40, 39, 104, 217, 218, 219, 97, 241, 265, 268, 270, 271, 280, 282,
         425, 426, 427, 428, 429, 430, 442),
    ),
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


def machine_is_known() -> bool:
    """Can calls be filtered here? Elsewhere nothing but rlimits would hold."""
    return sys.platform == "linux" and platform.machine() in _MACHINES


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, argument: int, what: str) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero), what)


def die_with_parent() -> None:
    _prctl(1, 9, "prctl")


def hide_memory() -> None:
    """Other processes of the same user can neither trace this one nor read its memory."""
    _prctl(4, 0, "prctl")


def adopt_orphans() -> None:
    """Processes whose parent ends become children of this one."""
    _prctl(36, 1, "prctl")


def no_new_privileges() -> None:
    _prctl(38, 1, "prctl")


# Namespaces: no network, no sight of other processes, and a root of our own.


def enter_namespaces() -> None:
    """New network, process, mount, IPC and host-name namespaces; the next child is process 1.

    The administrator has them for the asking; anybody else gets a user namespace with them, where
    the machine permits it.
    """
    flags = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET
    user, group = os.geteuid(), os.getegid()
    if user == 0 and spare_user(0) is not None:
        _check(_libc.unshare(flags), "unshare")
        return
    _check(_libc.unshare(flags | _NEW_USER), "unshare")
    # Not as number 0 inside: a program that is executed then has no rights left over.
    Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
    Path("/proc/self/uid_map").write_text(f"1000 {user} 1", encoding="utf-8")
    Path("/proc/self/gid_map").write_text(f"1000 {group} 1", encoding="utf-8")


_NOBODY = 65534
_UNUSED = 1 << 30  # user numbers from here on are given to nobody


def spare_user(seed: int) -> int | None:
    """A user that owns nothing here, another for another seed where there is room for many.

    In a container only some numbers exist; None where none but our own does.
    """
    if sys.platform != "linux":
        return _NOBODY
    ranges = [
        line.split() for line in Path("/proc/self/uid_map").read_text(encoding="utf-8").splitlines()
    ]
    for user in (_UNUSED + seed % (1 << 20), _NOBODY):
        if any(int(first) <= user < int(first) + int(count) for first, _, count in ranges):
            return user
    return None


def build_root(base: Path, visible: Sequence[str], box: str, size: int) -> None:
    """Make `base` the root: the visible paths read-only, `box` of `size` bytes to write in.

    Called by process 1 of the namespaces; afterwards nothing else of the machine can be named.
    """
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", str(base), "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for path in visible:
        _show(path, base)
    for device in ("null", "zero", "full", "random", "urandom"):
        _bind(f"/dev/{device}", base)
    inner = base / box.lstrip("/")
    inner.mkdir()
    _mount("tmpfs", str(inner), "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size},mode=777")
    (base / "proc").mkdir()
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_RDONLY
    _mount("proc", str(base / "proc"), "proc", flags)
    if not (base / "tmp").exists():  # it does where a toolchain lies beneath
        (base / "tmp").symlink_to(box)
    _restrict(base, _READ_ONLY, recursive=False)
    os.chdir(base)
    _check(_libc.syscall(_long(_machine()[1]), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount")
    os.chdir(box)


def _show(path: str, base: Path) -> None:
    """The path inside as outside, not to be written to; a link stays a link."""
    outside = Path(path)
    if outside.is_symlink():
        inside = base / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(outside.readlink())
    elif outside.exists():
        _restrict(_bind(path, base), _READ_ONLY | _NO_SUID | _NO_DEVICES, recursive=True)


def _bind(path: str, base: Path) -> Path:
    inside = base / path.lstrip("/")
    inside.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_dir():
        inside.mkdir(exist_ok=True)
    else:
        inside.touch()
    _mount(path, str(inside), "", _MS_BIND | _MS_REC)
    return inside


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    words = [os.fsencode(each) for each in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None), f"mount on {target}")


def _restrict(path: Path, attributes: int, *, recursive: bool) -> None:
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    arguments = (_long(_AT_HERE), os.fsencode(path), _long(flags), wanted, _long(len(wanted)))
    _check(_libc.syscall(_long(442), *arguments), "mount_setattr")


def _long(value: int) -> ctypes.c_long:
    return ctypes.c_long(value)


def _machine() -> tuple[int, int, int, int, tuple[int, ...]]:
    if not machine_is_known():
        raise OSError(38, f"no numbers of system calls for {sys.platform} {platform.machine()}")
    return _MACHINES[platform.machine()]


# The filter: no sockets, and nothing that could undo the rest.


def filter_calls() -> None:
    """Refuse sockets, namespaces, mounts, tracing and key rings, for good; needs no privilege."""
    architecture, _, clone, clone3, refused = _machine()
    rules = [_rule(0x20, 0, 0, 4), _rule(0x15, 1, 0, architecture), _rule(0x06, 0, 0, 0x80000000)]
    rules.append(_rule(0x20, 0, 0, 0))
    # x86_64's second table of the same calls (x32) begins here.
    rules += [_rule(0x35, 0, 1, 0x40000000), _answer(1)]
    for number in refused:
        rules += [_rule(0x15, 0, 1, number), _answer(1)]
    # The flags of clone3 lie in memory, out of a filter's sight: "not implemented" makes the C
    # library use clone, whose flags do not.
    rules += [_rule(0x15, 0, 1, clone3), _answer(38)]
    rules += [_rule(0x15, 0, 3, clone), _rule(0x20, 0, 0, 16)]
    rules += [_rule(0x45, 0, 1, _ANY_NAMESPACE), _answer(1), _rule(0x06, 0, 0, 0x7FFF0000)]
    code = b"".join(rules)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(buffer))
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(22, ctypes.c_ulong(2), program, zero, zero), "seccomp")


def _rule(code: int, true: int, false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, true, false, value)


def _answer(error: int) -> bytes:
    """Let the call fail with this error."""
    return _rule(0x06, 0, 0, 0x00050000 | error)


# Landlock: where namespaces are not permitted, it holds files, and needs no privilege.

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15


def restrict_files(readable: Sequence[str], writable: Sequence[str]) -> None:
    """Everything but these paths is out of reach, and signals end at this process's children."""
    version = _check(_libc.syscall(_long(444), None, ctypes.c_size_t(0), _long(1)), "Landlock")
    rights = 0x1FFF  # of the first version: everything but refer, truncate and ioctl
    for since, right in ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15)):
        rights |= right if version >= since else 0
    network, scope = 3 if version >= 4 else 0, 3 if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    wanted = struct.pack("QQQ", rights, network, scope)[:size]
    rules = _libc.syscall(_long(444), wanted, ctypes.c_size_t(size), _long(0))
    _check(rules, "Landlock")
    for paths, allowed in ((readable, _EXECUTE | _READ_FILE | _READ_DIR), (writable, rights)):
        for path in paths:
            _allow(rules, path, allowed & rights)
    _check(_libc.syscall(_long(446), _long(rules), _long(0)), "Landlock")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    if not Path(path).exists():
        return
    if not Path(path).is_dir():
        rights &= _OF_A_FILE
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights, descriptor)
    try:
        _check(_libc.syscall(_long(445), _long(rules), _long(1), rule, _long(0)), "Landlock")
    finally:
        os.close(descriptor)
