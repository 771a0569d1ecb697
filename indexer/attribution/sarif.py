"""Matches as SARIF 2.1.0, the format in which code hosts take findings."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from indexer.attribution.inspection import Inspection
from indexer.attribution.judging import MODIFIED, RENAMED, VERBATIM, WARNING
from indexer.attribution.matches import Match, match_json

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {
    VERBATIM: "Text that occurs almost word for word in the corpus",
    RENAMED: "Code that occurs in the corpus with other names or literals",
    MODIFIED: "Code that occurs in the corpus with some lines changed",
}


def sarif(inspections: Iterable[Inspection]) -> dict[str, Any]:
    """One run with a result for each match; upstream files stand among the related locations."""
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(each.path, match) for each in inspections for match in each.matches
                ],
            }
        ],
    }


def _driver() -> dict[str, Any]:
    try:
        release = version("footnote")
    except PackageNotFoundError:
        release = "0"
    rules = [
        {"id": f"attribution/{kind}", "shortDescription": {"text": text}}
        for kind, text in _RULES.items()
    ]
    return {"name": "Footnote", "semanticVersion": release, "rules": rules}


def _result(path: str, match: Match) -> dict[str, Any]:
    source = match.source
    properties = {key: value for key, value in match_json(match).items() if key != "others"}
    return {
        "ruleId": f"attribution/{match.kind}",
        "ruleIndex": list(_RULES).index(match.kind),
        "level": "warning" if match.tier == WARNING else "note",
        "message": {
            "text": f"{match.similarity:.0%} {match.kind} match of {source.package} {source.version}, "
            f"{source.path} lines {source.start_line}-{source.end_line} ({source.license})"
        },
        "locations": [_location(_uri(path), match.start_line, match.end_line)],
        "relatedLocations": [
            _location(
                f"pkg:{each.package}@{each.version}/{quote(each.path)}",
                each.start_line,
                each.end_line,
            )
            for each in (source, *match.others)
        ],
        "partialFingerprints": {"attributionMatch/v1": _fingerprint(path, match)},
        "properties": {**properties, "identicalSources": len(match.others) + match.more},
    }


def _uri(path: str) -> str:
    """A relative path stays relative, an absolute one becomes a file address."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix())


def _location(uri: str, start: int, end: int) -> dict[str, Any]:
    region = {"startLine": start, "endLine": end}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def _fingerprint(path: str, match: Match) -> str:
    """The same while the match is, wherever edits above it move it."""
    source = match.source
    parts = (path, source.package, source.path, str(source.start_line), str(match.matched_tokens))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
