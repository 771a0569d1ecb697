"""Folders and completers of the tiny model, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tiny import write_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from engine.local import LocalCompleter


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: copy it to change it."""
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> LocalCompleter:
    from engine.loading import load

    return load(tiny_folder, dtype="float32", threads=1)


@pytest.fixture(scope="session")
def gguf_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One model in several types, wide enough that q8_0 has whole blocks."""
    from tests.support.gguf import PLAIN, converted, k_quants

    home = tmp_path_factory.mktemp("gguf")
    folder = write_tiny(home / "tiny", hidden_size=64, scale=0.25)
    made = {kind: converted(folder, home / f"{kind}.gguf", kind) for kind in PLAIN}
    return {"folder": folder, **made, "k-quants": k_quants(home / "k.gguf")}
