"""SHA256SUMS: the hash of every file of a release, in the form that `sha256sum -c` reads."""

import re
from pathlib import Path

from engine.checkpoint import sha256_of
from trainer.release.source import ReleaseError

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def write_sums(folder: Path) -> None:
    lines = [f"{sha256_of(folder / name)}  {name}" for name in files_of(folder)]
    (folder / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def files_of(folder: Path) -> list[str]:
    """All files but the list itself, by their path in the folder."""
    found = (each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    return sorted(name for name in found if name != SUMS)


def read_sums(folder: Path) -> dict[str, str]:
    """Hash by name; ReleaseError when the folder has no such list or it makes no sense."""
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ReleaseError(
            f"{folder} has no {SUMS}: it is no release, or not a whole copy of one"
        ) from None
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{path} cannot be read ({error}): copy the release again") from error
    sums = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        inside = match and not Path(match[2]).is_absolute() and ".." not in Path(match[2]).parts
        if not match or not inside:
            raise ReleaseError(f"{path} has a line that is no hash of a file here: {line[:80]!r}")
        sums[match[2]] = match[1]
    return sums


def differences(folder: Path) -> list[str]:
    """What is missing, changed, or not on the list; empty when the release is whole."""
    sums = read_sums(folder)
    found = []
    for name, expected in sums.items():
        if not (folder / name).is_file():
            found.append(f"missing: {name}")
        elif sha256_of(folder / name) != expected:
            found.append(f"changed: {name}")
    return found + [f"not listed: {name}" for name in files_of(folder) if name not in sums]
