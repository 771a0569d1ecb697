"""Footnote's own messages beside the LSP's; vscode-client/src/protocol.ts mirrors this file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

# Notification, server to client: StatusParams, whenever it changes. $/ means that a client may leave it unread;
# of any other that it does not know lsp-mode warns in a window of its own.
STATUS = "$/footnote/status"
EXPLAIN = "footnote/explain"  # request, client to server: no parameters, ExplainResult
# Notification, client to server: TextDocumentPositionParams, when the cursor has moved.
CURSOR = "footnote/cursor"
MATCHES = "footnote/matches"  # request, client to server: no parameters, MatchesResult
SOURCE_SCHEME = "footnote-source"  # URIs of corpus files, read by workspace/textDocumentContent

COMMAND_ACCEPTED = "footnote.accepted"  # argument: the id of the suggestion
COMMAND_EXPLAIN = "footnote.explain"  # returns ExplainResult
COMMAND_RESTART = "footnote.restartModel"
# Arguments: the footnote-source address, the first and the last line; returns where it is shown.
COMMAND_OPEN_SOURCE = "footnote.openSource"
# Arguments: document, passage (the id in a diagnostic's data), and why; it asks where that is left out.
COMMAND_IGNORE = "footnote.ignoreMatch"
# Arguments: document, passage; returns {uri, position} where text was taken out, else null.
COMMAND_REGENERATE = "footnote.regenerate"

DIAGNOSTIC_SOURCE = "footnote"
DIAGNOSTIC_CODE = "near-verbatim"

NORMAL, WARNING, ERROR, INACTIVE = "Normal", "Warning", "Error", "Inactive"


@dataclass(frozen=True)
class ModelStatus:
    """The model behind the suggestions."""

    state: str  # loading, ready, unavailable, asleep, closed
    name: str = ""
    device: str = ""
    parameters: int = 0


@dataclass(frozen=True)
class IndexStatus:
    """The attribution index, and whether it covers what the model was trained on."""

    state: str  # loading, ready, unavailable
    documents: int = 0
    packages: int = 0
    selection: str = ""  # full or small
    belongs: str = "unknown"  # yes, subset, no, unknown


@dataclass(frozen=True)
class StatusParams:
    """What a status bar shows. `busy` ends once model and index are there, or known not to be."""

    busy: bool
    kind: str  # Normal, Warning, Error, Inactive
    message: str
    model: ModelStatus
    index: IndexStatus


@dataclass(frozen=True)
class ExplainResult:
    """The last 50 requests for a suggestion, newest first; holds no text of any document."""

    requests: list[dict[str, Any]]


@dataclass(frozen=True)
class PassageMatch:
    """A near-verbatim passage of an open document; lines are 1-based and inclusive."""

    id: str
    uri: str
    start_line: int
    end_line: int
    tier: str  # warning or information
    kind: str  # verbatim, renamed or modified
    similarity: float  # 0 to 1
    matched_tokens: int
    path: str  # inside the package
    source_uri: str
    source_start_line: int
    source_end_line: int


@dataclass(frozen=True)
class PackageMatches:
    """The passages that are nearest to text of one package."""

    package: str
    version: str
    url: str
    matches: list[PassageMatch]


@dataclass(frozen=True)
class LicenceMatches:
    """The passages whose sources are under one licence."""

    licence: str  # SPDX expression
    licence_class: str  # permissive, copyleft or unknown
    packages: list[PackageMatches]


@dataclass(frozen=True)
class MatchesResult:
    """All near-verbatim passages of the open documents, by licence and package."""

    licences: list[LicenceMatches]


def to_json(message: Any) -> dict[str, Any]:
    """A message as JSON: names in camel case, nested messages too."""
    return {
        _camel(each.name): _value(getattr(message, each.name))
        for each in dataclasses.fields(message)
    }


def _value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    return [_value(item) for item in value] if isinstance(value, list | tuple) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
