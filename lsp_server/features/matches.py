"""footnote/matches: all near-verbatim passages of the open documents, by licence and package."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from indexer.attribution.licensing import class_of
from lsp_server import passages
from lsp_server.addresses import source_uri
from lsp_server.protocol import (
    LicenceMatches,
    MatchesResult,
    PackageMatches,
    PassageMatch,
    to_json,
)

if TYPE_CHECKING:
    from indexer import Match
    from lsp_server.session import Passage, Session


async def answer(session: Session) -> dict[str, Any]:
    found: dict[str, dict[tuple[str, str], list[tuple[str, Passage]]]] = {}
    for document in session.documents:
        findings = await passages.findings_of(session, document)
        for each in () if findings is None else findings.passages:
            source = each.match.source
            packages = found.setdefault(source.license, defaultdict(list))
            packages[source.package, source.version].append((document.uri, each))
    licences = [
        LicenceMatches(
            licence,
            class_of(licence),
            [_package(places) for _, places in sorted(packages.items())],
        )
        for licence, packages in sorted(found.items())
    ]
    return to_json(MatchesResult(licences))


def _package(places: list[tuple[str, Passage]]) -> PackageMatches:
    source = places[0][1].match.source
    matches = [_match(uri, each.id, each.match) for uri, each in places]
    return PackageMatches(source.package, source.version, source.url, matches)


def _match(uri: str, identity: str, match: Match) -> PassageMatch:
    source = match.source
    return PassageMatch(
        id=identity,
        uri=uri,
        start_line=match.start_line,
        end_line=match.end_line,
        tier=match.tier,
        kind=match.kind,
        similarity=match.rounded,
        matched_tokens=match.matched_tokens,
        path=source.path,
        source_uri=source_uri(source),
        source_start_line=source.start_line,
        source_end_line=source.end_line,
    )
