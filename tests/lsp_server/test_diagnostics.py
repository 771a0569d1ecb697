"""How a passage is marked."""

from __future__ import annotations

import pytest

from indexer import Match, Source
from lsp_server.features.diagnostics import severity_of
from lsp_server.settings import AttributionSettings

WARNING, INFORMATION, HINT = 2, 3, 4


@pytest.mark.parametrize(
    ("licence", "tier", "severity"),
    [
        ("MIT", "warning", INFORMATION),
        ("MIT", "information", HINT),
        ("GPL-3.0-only", "warning", WARNING),
        ("GPL-3.0-only", "information", INFORMATION),
        ("MIT OR GPL-2.0-only", "warning", INFORMATION),
        ("LicenseRef-ours", "warning", WARNING),
        ("", "warning", WARNING),
    ],
)
def test_licence_and_tier_give_the_severity(licence: str, tier: str, severity: int) -> None:
    source = Source("p", "1", "a.py", 1, 9, licence, "")
    match = Match(1, 9, tier, "verbatim", 1.0, 60, source)

    assert severity_of(match, AttributionSettings()) == severity
    settings = AttributionSettings(permissive_severity="off", other_severity="off")
    assert severity_of(match, settings) is None
