"""The documents keep their shape, and their links lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.repository import ROOT, all_files, name_of

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [path for path in all_files() if path.suffix == ".md"]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_link_to_a_file_leads_to_one(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text())

    assert [each for each in targets if not (document.parent / each).exists()] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_what_why_and_what_was_given_up(decision: Path) -> None:
    text = decision.read_text()

    assert text.startswith(f"# {int(decision.name[:4])}. ")
    assert re.findall(r"^\*\*([^*]+)\*\*", text, re.MULTILINE) == ["What.", "Why.", "Given up."]
    assert len(text.splitlines()) <= 18, "ten lines and their headings"


def test_every_check_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    checks = sorted(set(re.findall(r"`(tests/[\w/.-]+(?:::\w+)?)`", text)))
    contracts = sorted(set(re.findall(r"contract \"([^\"]+)\"", text)))
    configured = (ROOT / "pyproject.toml").read_text()

    assert checks
    assert contracts
    assert [each for each in checks if not _is_there(each)] == []
    assert [each for each in contracts if f'name = "{each}"' not in configured] == []


def _is_there(check: str) -> bool:
    file, _, test = check.partition("::")
    path = ROOT / file
    return path.exists() and (not test or f"def {test}(" in path.read_text())
