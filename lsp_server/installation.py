"""Whether our packages are still ours: their names are common words that others use too."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("engine", "indexer", "lsp_server", "trainer")


def intruder() -> str | None:
    """What is wrong with the environment and what to do, or None where all is well."""
    for name in _PACKAGES:
        # A distribution of that name installs into our folder without a word.
        try:
            other = distribution(name)
        except PackageNotFoundError:
            continue
        return (
            f"the distribution {name} {other.version} has put its files into Footnote's package "
            f"{name!r}; install Footnote into an environment of its own, "
            "for example with `pipx install footnote` or `uv tool install footnote`"
        )
    home = Path(__file__).resolve().parents[1]
    for name in _PACKAGES:
        spec = find_spec(name)
        found = Path(spec.origin).resolve().parents[1] if spec and spec.origin else None
        if found != home:
            return (
                f"Python finds the package {name!r} in {found or 'no place'} instead of {home}; "
                "start the server as `python -I -m lsp_server` or by the command `footnote`"
            )
    return None
