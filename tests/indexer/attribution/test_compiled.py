"""The compiled libraries are taken where they are whole, and missed by nobody where they are not there."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import pytest

import hatch_build
from indexer.attribution import aligning, lexing
from indexer.attribution.compiled import CompiledLexer
from indexer.attribution.families import PYTHON
from indexer.attribution.native import building
from indexer.attribution.patterns import PatternLexer
from lsp_server.commands import doctor
from tests.indexer.attribution.conftest import CLUSTER, LEDGER

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = hatch_build.compiler(os.environ)
needs_compiler = pytest.mark.skipif(COMMAND is None, reason="no C compiler")


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    assert COMMAND is not None
    made, _ = hatch_build.compile_all(building, tmp_path, COMMAND)
    assert made == building.built(tmp_path)
    assert len(made) == 5
    return made[0]


@needs_compiler
def test_what_was_compiled_is_found_and_reads(compiled: Path) -> None:
    assert all(building.fits(each) for each in building.built(compiled.parent))
    assert len(CompiledLexer(PYTHON, compiled).read(CLUSTER.encode()).tokens) > 100


@needs_compiler
@pytest.mark.parametrize("damage", ["library", "record", "source"])
def test_a_library_that_is_not_whole_or_of_another_source_is_not_loaded(
    compiled: Path, damage: str
) -> None:
    if damage == "library":
        compiled.write_bytes(compiled.read_bytes()[:3000])
    elif damage == "record":
        (compiled.parent / building.HASHES).write_text("[")
    else:
        compiled.rename(compiled.with_name(f"lexer-0123456789ab{compiled.suffix}"))

    left = [each.name.partition("-")[0] for each in building.built(compiled.parent)]
    assert left == ([] if damage == "record" else ["aligner", "rows", "features", "voting"])


def test_what_cannot_be_loaded_does_not_fit(tmp_path: Path) -> None:
    foreign = tmp_path / "lexer-0123456789ab.so"
    foreign.write_bytes(b"of another system")

    assert not building.fits(foreign)


def test_without_a_library_regular_expressions_read_and_the_doctor_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lexing, "library", lambda: None)
    monkeypatch.setattr(building, "library", lambda: None)

    assert isinstance(lexing._reader.__wrapped__(PYTHON), PatternLexer)
    check = doctor._lexer()
    assert check.state == "note"
    assert "install a C compiler" in check.remedy


def test_without_a_library_numpy_aligns_the_same_and_the_doctor_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, source = (lexing.lexer_of("python").tokens(each) for each in (LEDGER, CLUSTER + LEDGER))
    before = aligning.align(text, source)
    monkeypatch.setattr(aligning, "compiled", lambda: None)
    monkeypatch.setattr(building, "library", lambda kind="": None if kind else "a lexer")

    assert doctor._lexer().state == "note"
    assert aligning.align(text, source) == before
    assert len(before) == 1


def test_one_library_serves_every_processor() -> None:
    assert building.libraries("anything") == building.libraries(platform.machine())
