"""Footnote's own messages beside the LSP's; vscode-client/src/protocol.ts mirrors this file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

STATUS = "footnote/status"  # notification, server to client: StatusParams, whenever it changes
EXPLAIN = "footnote/explain"  # request, client to server: no parameters, ExplainResult
# Notification, client to server: TextDocumentPositionParams, when the cursor has moved.
CURSOR = "footnote/cursor"
SOURCE_SCHEME = "footnote-source"  # URIs of corpus files, read by workspace/textDocumentContent

COMMAND_ACCEPTED = "footnote.accepted"  # argument: the id of the suggestion
COMMAND_EXPLAIN = "footnote.explain"  # returns ExplainResult
COMMAND_RESTART = "footnote.restartModel"
# Arguments: the footnote-source address, the first and the last line; returns where it is shown.
COMMAND_OPEN_SOURCE = "footnote.openSource"

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
