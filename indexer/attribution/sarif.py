"""Findings as SARIF 2.1.0, the format in which code hosts take them."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from indexer.attribution.inspection import Finding, Inspection
from indexer.attribution.judging import LICENCE_HEADER, MODIFIED, RENAMED, VERBATIM, WARNING
from indexer.attribution.licensing import PERMISSIVE, class_of, identifiers
from indexer.attribution.matches import Source

FINGERPRINT = "attributionMatch/v1"
MOST_RESULTS = 25_000  # GitHub's limit for a run
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "SRCROOT"
_NOT_CHECKED, _LEFT_OUT = "not-checked", "left-out"
_LICENCES = "https://spdx.org/licenses/"
_RULES = {
    VERBATIM: (
        "VerbatimMatch",
        "Text that occurs almost word for word in indexed code",
        "The same tokens in the same order; comments and layout may differ.",
    ),
    RENAMED: (
        "RenamedMatch",
        "Code that occurs in indexed code with other names or literals",
        "The same code once names and literals are exchanged one for one.",
    ),
    MODIFIED: (
        "ModifiedMatch",
        "Code that occurs in indexed code with some lines changed",
        "Most of the lines stand in the source too, in the same order.",
    ),
    LICENCE_HEADER: (
        "LicenceHeaderMatch",
        "The header of another project's licence",
        "A notice that names its own terms: the file below it may come from elsewhere.",
    ),
}
_ADVICE = (
    "Look at the source that is named. Where the text is from there, keep its copyright notice and licence, or "
    "write it anew; where it is not, enter it in .footnote/ignore.toml with a reason. A match is no verdict "
    "about rights."
)
_LEVELS = ("note", "warning", "error")


@dataclass(frozen=True, slots=True)
class Run:
    """The circumstances of a check."""

    root: Path  # what the paths in the log are relative to
    started: datetime
    ended: datetime
    exit_code: int


class NoLog(Exception):
    """A file is no SARIF log of an earlier check; the message names it."""


def sarif(inspections: Sequence[Inspection], run: Run) -> dict[str, Any]:
    """A log of one run with a result for each finding; the sources stand among its related locations."""
    found = [(each.path, finding) for each in inspections for finding in each.findings]
    shown = _most_serious(found)
    spdx = sorted({name for _, finding in shown for name in _named(finding)})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_ROOT: {"uri": run.root.as_uri().removesuffix("/") + "/"}},
                "invocations": [_invocation(inspections, run, len(found) - len(shown))],
                "taxonomies": [_taxonomy(spdx)],
                "results": _results(shown, run.root, spdx),
            }
        ],
    }


def fingerprint_of(finding: Finding) -> str:
    """The same while the passage and its source are, wherever edits or moves put it."""
    source = finding.match.source
    parts = (finding.passage, source.package, source.path)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def fingerprints_in(log: Path) -> Counter[str]:
    """How often each finding stands in an earlier log. Raises NoLog."""
    try:
        runs = json.loads(log.read_text("utf-8-sig"))["runs"]
        named = [
            each["partialFingerprints"][FINGERPRINT] for run in runs for each in run["results"]
        ]
        return Counter(name.split(":")[0] for name in named)
    except OSError as error:
        raise NoLog(f"{log} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoLog(f"{log} is no log of `footnote check --format sarif`") from error


def level_of(finding: Finding) -> str:
    """How serious a finding is: a copy under terms that bind more, or that nobody knows, is an error."""
    match = finding.match
    if match.tier != WARNING or match.kind == LICENCE_HEADER:
        return "note"
    return "warning" if class_of(match.source.license) == PERMISSIVE else "error"


def _most_serious(found: list[tuple[str, Finding]]) -> list[tuple[str, Finding]]:
    if len(found) <= MOST_RESULTS:
        return found
    order = sorted(range(len(found)), key=lambda at: -_LEVELS.index(level_of(found[at][1])))
    return [found[at] for at in sorted(order[:MOST_RESULTS])]


def _driver() -> dict[str, Any]:
    try:
        release = version("footnote")
    except PackageNotFoundError:
        release = "0"
    return {
        "name": "Footnote",
        "semanticVersion": release,
        "rules": [_rule(kind, *texts) for kind, texts in _RULES.items()],
        "notifications": [
            _described(_NOT_CHECKED, "A file that was not checked, with the reason"),
            _described(_LEFT_OUT, "Findings beyond the number that code hosts take"),
        ],
        "supportedTaxonomies": [{"name": "SPDX", "index": 0}],
    }


def _described(name: str, text: str) -> dict[str, Any]:
    return {"id": f"attribution/{name}", "shortDescription": {"text": text}}


def _rule(kind: str, name: str, short: str, full: str) -> dict[str, Any]:
    return {
        **_described(kind, short),
        "name": name,
        "fullDescription": {"text": full},
        "help": {"text": _ADVICE},
        "defaultConfiguration": {"level": "note" if kind == LICENCE_HEADER else "warning"},
        "properties": {"tags": ["attribution", "licence"], "precision": "high"},
    }


def _invocation(inspections: Iterable[Inspection], run: Run, left_out: int) -> dict[str, Any]:
    told = [
        _notification(_NOT_CHECKED, f"not checked: {each.skipped}", [_at(each.path, run.root)])
        for each in inspections
        if each.skipped
    ]
    if left_out:
        told.append(_notification(_LEFT_OUT, f"{left_out} less serious findings are left out", []))
    return {
        "executionSuccessful": True,
        "exitCode": run.exit_code,
        "startTimeUtc": _utc(run.started),
        "endTimeUtc": _utc(run.ended),
        "toolExecutionNotifications": told,
    }


def _notification(name: str, text: str, places: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "descriptor": {"id": f"attribution/{name}"},
        "level": "note",
        "message": {"text": text},
    }
    return told | ({"locations": places} if places else {})


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _taxonomy(spdx: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "SPDX",
        "shortDescription": {"text": "The SPDX licence list"},
        "informationUri": _LICENCES,
        "isComprehensive": False,
        "taxa": [{"id": name} | _page(name) for name in spdx],
    }


def _page(name: str) -> dict[str, str]:
    """The list's page of a licence; there is none of one that somebody named for themselves."""
    if ":" in name or name.lower().startswith(("licenseref-", "documentref-")):
        return {}
    return {"helpUri": f"{_LICENCES}{quote(name.removesuffix('+'))}.html"}


def _named(finding: Finding) -> list[str]:
    return identifiers(finding.match.source.license)


def _results(
    found: Sequence[tuple[str, Finding]], root: Path, spdx: Sequence[str]
) -> list[dict[str, Any]]:
    places = {name: at for at, name in enumerate(spdx)}
    met: Counter[tuple[str, str]] = Counter()
    results = []
    for path, finding in found:
        fingerprint = fingerprint_of(finding)
        met[path, fingerprint] += 1
        # The same passage twice in a file is two findings.
        named = f"{fingerprint}:{met[path, fingerprint]}"
        taxa = [
            {"id": name, "index": places[name], "toolComponent": {"name": "SPDX", "index": 0}}
            for name in _named(finding)
        ]
        results.append(_result(path, finding, root) | {
            "partialFingerprints": {FINGERPRINT: named}, "taxa": taxa,
        })  # fmt: skip
    return results


def _result(path: str, finding: Finding, root: Path) -> dict[str, Any]:
    match = finding.match
    source = match.source
    place = _at(path, root)
    place["physicalLocation"]["region"] = {
        "startLine": match.start_line,
        "startColumn": finding.first_column,
        "endLine": match.end_line,
        "endColumn": finding.end_column,
    }
    return {
        "ruleId": f"attribution/{match.kind}",
        "ruleIndex": list(_RULES).index(match.kind),
        "level": level_of(finding),
        "message": {
            "text": f"{match.percent} {match.kind} match of {source.release}, "
            f"{source.path} lines {source.start_line}-{source.end_line} "
            f"({source.license or 'no licence known'}), {source.url}"
        },
        "locations": [place],
        "relatedLocations": [
            _related(number, each) for number, each in enumerate((source, *match.others), 1)
        ],
        "properties": {
            "package": source.package,
            "version": source.version,
            "sourceRepo": source.url,
            "path": source.path,
            "startLine": source.start_line,
            "endLine": source.end_line,
            "spdx": source.license,
            "licenceClass": class_of(source.license),
            "similarity": match.rounded,
            "matchedTokens": match.matched_tokens,
            "cloneType": match.kind,
            "tier": match.tier,
            "identicalSources": len(match.others) + match.more,
        },
    }


def _at(path: str, root: Path) -> dict[str, Any]:
    """A file of the project by its path from the root; another one by its address."""
    place = Path(os.path.normpath(Path(path).absolute()))
    if path == "-":
        return {"physicalLocation": {"artifactLocation": {"uri": "stdin"}}}
    if place.is_relative_to(root):
        uri = quote(os.fsencode(place.relative_to(root).as_posix()))
        return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT}}}
    return {"physicalLocation": {"artifactLocation": {"uri": place.as_uri()}}}


def _related(number: int, source: Source) -> dict[str, Any]:
    name = quote(source.package, safe="")
    version = f"@{quote(source.version, safe='')}" if source.version else ""
    return {
        "id": number,
        "message": {"text": f"{source.release}, {source.path} ({source.license})"},
        "physicalLocation": {
            "artifactLocation": {"uri": f"pkg:generic/{name}{version}#{quote(source.path)}"},
            "region": {"startLine": source.start_line, "endLine": source.end_line},
        },
    }
