"""Licence classes of SPDX expressions."""

from __future__ import annotations

import tomllib

import pytest

from indexer.attribution.licensing import class_of, identifiers
from indexer.curation.folders import OWN
from tests.support.repository import ROOT

EXPRESSIONS = {
    "MIT": "permissive",
    "apache-2.0": "permissive",
    "GPL-3.0-only": "copyleft",
    "GPL-2.0+": "copyleft",
    "LGPL-2.1-or-later": "copyleft",
    "MPL-2.0": "copyleft",
    "CC-BY-SA-4.0": "copyleft",
    "CC-BY-4.0": "permissive",
    "MIT OR GPL-3.0-only": "permissive",
    "MIT AND GPL-3.0-only": "copyleft",
    "(MIT OR GPL-2.0-only) AND BSD-3-Clause": "permissive",
    "MIT AND (LGPL-2.1-only OR MPL-2.0)": "copyleft",
    "MIT or Apache-2.0 and GPL-2.0-only": "permissive",
    "GPL-2.0-only WITH Classpath-exception-2.0": "copyleft",
    "Apache-2.0 WITH LLVM-exception": "permissive",
    "GPL-3.0-only AND LicenseRef-Other": "unknown",
    "MIT OR LicenseRef-Other": "permissive",
    "": "unknown",
    "NOASSERTION": "unknown",
    "LicenseRef-Other": "unknown",
    "MITIGATED": "unknown",
    "calm": "unknown",
    "MIT AND": "unknown",
    "MIT GPL-3.0-only": "unknown",
    "(MIT": "unknown",
    "MIT)": "unknown",
    "MIT / BSD": "unknown",
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_has_a_class(expression: str) -> None:
    assert class_of(expression) == EXPRESSIONS[expression]


def test_every_licence_that_the_corpus_takes_is_permissive() -> None:
    recipe = tomllib.loads((ROOT / "indexer/curation/corpus.toml").read_text())

    assert {class_of(each) for each in recipe["corpus"]["licenses"]} == {"permissive"}


def test_one_s_own_files_are_no_reason_to_fail() -> None:
    assert class_of(OWN) == "permissive"


def test_an_expression_names_licences_once_and_no_operators() -> None:
    expression = "(MIT OR GPL-2.0-only WITH Classpath-exception-2.0) and MIT and LicenseRef-a.b"

    assert identifiers(expression) == ["MIT", "GPL-2.0-only", "LicenseRef-a.b"]
    assert identifiers("") == []
