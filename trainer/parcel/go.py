"""Starts a parcel on the machine that it was carried to: takes in, checks, installs, and goes on.

    python3 go.py take             take in what lies beside this file; needed once a journey
    python3 go.py check            what this machine has, and which packages it lacks
    python3 go.py probe            try the alternatives for a minute and keep the fastest
    python3 go.py train --seconds 540 --later 1     a sitting with one more to come
    python3 go.py train --seconds 540               the last sitting: ends with its decay
    python3 go.py bench            `footnote bench training` with the parcel's recipe
    python3 go.py out 1            the first load of results to carry home; then 2, 3, ...

It needs nothing but Python: whatever else it starts came with it. --work FOLDER says where the
machine keeps things between commands, --home FOLDER where results are put that are to be carried.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
LIST = "parcel.json"


class Refused(Exception):
    """What was carried does not do; the message says what to carry."""


def main(argv: list[str]) -> int:
    began = time.time()
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    rest, work = _without(argv, "--work", Path(tempfile.gettempdir()) / "footnote-parcel")
    rest, home = _without(rest, "--home", Path("home").absolute())
    try:
        listed = _take(work)
        missing = _missing(listed, work)
        if rest[:1] == ["take"]:
            print(f"taken in to {work}" + (f"; to come: {', '.join(missing)}" if missing else ""))
            return 0
        if rest[:1] == ["check"]:
            return _check(listed, work, missing)
        if missing:
            raise Refused(f"not here: {', '.join(missing)}; `go.py take` in each journey")
        paths = [_source(listed, work), _packages(listed, work)]
    except (Refused, OSError) as error:
        sys.stderr.write(f"go.py: {error}\n")
        return 2
    command = [sys.executable, "-m", "trainer.parcel.there", *rest]
    command += ["--work", str(work), "--home", str(home), "--began", str(began)]
    return _become(command, _environment(listed, work, paths))


def _environment(listed: dict[str, Any], work: Path, paths: list[Path]) -> dict[str, str]:
    return {
        **listed["environment"],
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONSAFEPATH": "1",  # a folder here may have modules of our names
        "PYTHONUNBUFFERED": "1",
        "FOOTNOTE_HOME": str(work / "data"),
        "TORCHINDUCTOR_CACHE_DIR": str(work / "compiled"),
        "HF_HUB_OFFLINE": "1",
    }


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Go on as the parcel's own program, in this process: signals and its end are ours."""
    os.execve(command[0], command, environment)  # noqa: S606 -- with what came along


def _without(argv: list[str], name: str, default: Path) -> tuple[list[str], Path]:
    if name not in argv:
        return argv, default
    at = argv.index(name)
    if at + 1 == len(argv):
        sys.exit(f"go.py: {name} needs a folder")
    return argv[:at] + argv[at + 2 :], Path(argv[at + 1]).absolute()


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _take(work: Path) -> dict[str, Any]:
    """Copy what lies beside this file into `work`; what has another hash than listed is refused."""
    try:
        text = (HERE / LIST).read_text(encoding="utf-8")
        listed: dict[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        raise Refused(f"{HERE / LIST} cannot be read ({error}): carry it again") from error
    files = work / "files"
    files.mkdir(parents=True, exist_ok=True)
    for name, about in listed["files"].items():
        brought, kept = HERE / name, files / name
        if not brought.is_file():
            continue
        if _hash(brought) != about["sha256"]:
            raise Refused(f"{name} is damaged (its hash differs): carry it again")
        if (
            kept.is_file()
            and kept.stat().st_size == about["bytes"]
            and _hash(kept) == about["sha256"]
        ):
            continue
        staging = files / f".{name}.new"
        shutil.copyfile(brought, staging)
        staging.replace(kept)
    staging = work / f".{LIST}.new"
    staging.write_text(text, encoding="utf-8")
    staging.replace(work / LIST)
    return listed


def _missing(listed: dict[str, Any], work: Path) -> list[str]:
    """Files that were not carried yet, or are of another parcel."""
    out = []
    for name, about in listed["files"].items():
        path = work / "files" / name
        if not path.is_file() or _hash(path) != about["sha256"]:
            out.append(f"{name} (journey {about['journey']})")
    return out


def _source(listed: dict[str, Any], work: Path) -> Path:
    """The parcel's own code, unpacked once."""
    name = listed["source"]
    target = work / f"source-{listed['files'][name]['sha256'][:12]}"
    if not target.is_dir():
        staging = Path(tempfile.mkdtemp(prefix=".source-", dir=work))
        with zipfile.ZipFile(work / "files" / name) as archive:
            archive.extractall(staging)
        staging.replace(target)
    return target


def _lacking(listed: dict[str, Any], site: Path) -> list[str]:
    """Distributions that this Python cannot import, of those that training needs."""
    sys.path.append(str(site))
    importlib.invalidate_caches()
    return [name for name, module in listed["imports"].items() if not _importable(module)]


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _packages(listed: dict[str, Any], work: Path) -> Path:
    """The folder with what was installed from wheels, because this machine lacked it."""
    site = work / "site"
    lacking = _lacking(listed, site)
    if not lacking:
        return site
    wheels = [str(work / "files" / each) for each in listed["files"] if each.endswith(".whl")]
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        command += ["--upgrade", "--target", str(site), *wheels]
        done = subprocess.run(command, check=False, stdout=sys.stderr)
        lacking = _lacking(listed, site) if done.returncode == 0 else lacking
    if lacking:
        raise Refused(
            f"this machine lacks {', '.join(lacking)}: pack again with --wheels {' '.join(lacking)}"
        )
    return site


def _check(listed: dict[str, Any], work: Path, missing: list[str]) -> int:
    print(f"python {sys.version.split()[0]} at {sys.executable}, {os.cpu_count()} cores")
    print(f"{shutil.disk_usage(work).free / 1e9:.0f} GB free in {work}")
    print(f"not carried yet: {', '.join(missing) or 'nothing'}")
    print(f"packages it lacks: {', '.join(_lacking(listed, work / 'site')) or 'none'}")
    try:
        import torch
    except ImportError:
        print("no torch: training needs it, with CUDA, and it is too large to carry")
        return 2
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    print(f"torch {torch.__version__}, {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
