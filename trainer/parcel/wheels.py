"""Which packages a trainer needs, and their wheels for another machine, in the versions used here."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

# Distributions that training imports by the name of a module; torch and numpy must be there.
IMPORTS = {
    "accelerate": "accelerate",
    "matplotlib": "matplotlib",
    "platformdirs": "platformdirs",
    "pyarrow": "pyarrow",
    "rich": "rich",
    "safetensors": "safetensors",
    "tensorboardX": "tensorboardX",
    "tokenizers": "tokenizers",
    "transformers": "transformers",
}
_THERE = {"torch", "numpy"}  # and what these need
_GLIBC = (17, 27, 28, 31, 34)  # manylinux tags that wheels are published for


def download_command(names: tuple[str, ...], folder: Path, python: str) -> list[str]:
    """pip's command for the wheels of these distributions, pinned; of all that is needed for none."""
    wanted = names or tuple(sorted(_closure(), key=str.lower))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for number in _GLIBC:
        command += ["--platform", f"manylinux_2_{number}_x86_64"]
    command += ["--platform", "manylinux2014_x86_64", "--dest", str(folder)]
    return command + [f"{name}=={_version(name)}" for name in wanted]


def fetch_wheels(folder: Path, names: tuple[str, ...], python: str) -> None:
    """Have pip fetch them. ValueError with pip's own words when it cannot."""
    done = subprocess.run(
        download_command(names, folder, python), check=False, capture_output=True, text=True
    )
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise ValueError(f"pip could not fetch the wheels: {said}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        raise ValueError(f"{name} is not installed here, so no version of it is known") from None


def _closure() -> set[str]:
    """What the imports need in turn, under the markers of this machine."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: set[str] = set()
    asked = list(IMPORTS)
    while asked:
        name = canonicalize_name(asked.pop())
        if name in found or name in _THERE:
            continue
        found.add(name)
        needs = [Requirement(each) for each in distribution(name).requires or []]
        asked += [
            each.name
            for each in needs
            if each.marker is None or each.marker.evaluate({"extra": ""})
        ]
    return found
