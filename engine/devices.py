"""What there is to compute with: processor, memory, accelerator, libraries. None of them is loaded."""

import os
import platform
import sys
from pathlib import Path

CPU, CUDA, MPS = DEVICES = ("cpu", "cuda", "mps")

_INSTALLED = ".dist-info"  # ends the name of the folder that says what a package is

# What the drivers of NVIDIA's cards (also under WSL) and of AMD's leave in the file system.
_DRIVERS = tuple(map(Path, ("/proc/driver/nvidia/gpus", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")))
_WINDOWS_DRIVER = Path("System32", "nvcuda.dll")
_CPU_ALONE = "+cpu"  # in the version of a torch that was built for nothing else


def accelerator() -> str:
    """cuda or mps where torch may have one here; empty otherwise. torch itself has the last word."""
    if any(_CPU_ALONE in each for each in releases("torch")):
        return ""
    if sys.platform == "darwin":
        return MPS if platform.machine() == "arm64" else ""
    if sys.platform == "win32":
        driver = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / _WINDOWS_DRIVER
        return CUDA if driver.is_file() else ""
    return CUDA if any(each.exists() for each in _DRIVERS) else ""


def processor() -> str:
    """What the maker calls it, where the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def memory() -> int:
    """Bytes that the machine has; as many as one likes where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 1 << 62


def releases(*names: str) -> list[str]:
    """Name and version of what is installed of these; importlib.metadata takes 20 ms to say it."""
    found = []
    for folder in sys.path:
        try:
            names_there = [each.name for each in Path(folder).iterdir()]
        except OSError:
            continue
        found += [
            each.removesuffix(_INSTALLED)
            for each in names_there
            if each.endswith(_INSTALLED) and each.partition("-")[0].lower() in names
        ]
    return sorted(found)
