"""What the client at the other end can do, read once from its `initialize` request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lsprotocol import types


@dataclass(frozen=True, slots=True)
class Client:
    """The few facts about a client that our answers depend on."""

    inline_completion: bool = False
    markdown: bool = False  # in hovers and completion documentation
    related_information: bool = False
    code_description: bool = False
    diagnostic_data: bool = False
    versioned_diagnostics: bool = False
    pulled_diagnostics: bool = False  # may ask for them, and takes a word that there are others
    progress: bool = False  # window/workDoneProgress
    configuration: bool = False  # answers workspace/configuration
    registers_configuration: bool = False  # takes a dynamic didChangeConfiguration
    show_document: bool = False  # takes window/showDocument
    text_content: bool = False  # asks for documents of our scheme


def client_of(capabilities: types.ClientCapabilities) -> Client:
    def has(path: str) -> bool:
        return bool(_get(capabilities, path))

    formats = [
        *(_get(capabilities, "text_document.hover.content_format") or ()),
    ]
    return Client(
        inline_completion=_get(capabilities, "text_document.inline_completion") is not None,
        markdown=types.MarkupKind.Markdown in formats,
        related_information=has("text_document.publish_diagnostics.related_information"),
        code_description=has("text_document.publish_diagnostics.code_description_support"),
        diagnostic_data=has("text_document.publish_diagnostics.data_support"),
        versioned_diagnostics=has("text_document.publish_diagnostics.version_support"),
        pulled_diagnostics=has("text_document.diagnostic")
        and has("workspace.diagnostics.refresh_support"),
        progress=has("window.work_done_progress"),
        configuration=has("workspace.configuration"),
        registers_configuration=has("workspace.did_change_configuration.dynamic_registration"),
        show_document=has("window.show_document.support"),
        text_content=has("workspace.text_document_content.dynamic_registration"),
    )


def _get(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
        if value is None:
            return None
    return value
