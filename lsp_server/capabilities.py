"""What the client at the other end can do, read once from its `initialize` request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.uris import to_fs_path


@dataclass(frozen=True, slots=True)
class Client:
    """The few facts about a client that our answers depend on."""

    inline_completion: bool = False
    markdown: bool = False  # in hovers and completion documentation
    indents_completions: bool = False  # every line, as the first one is; takes none as it is
    related_information: bool = False
    code_description: bool = False
    diagnostic_data: bool = False
    versioned_diagnostics: bool = False
    pulled_diagnostics: bool = False  # may ask for them, and takes a word that there are others
    lenses: bool = False  # shows a line of its own above a passage
    refreshes_lenses: bool = False  # takes a word that there are others
    progress: bool = False  # window/workDoneProgress
    configuration: bool = False  # answers workspace/configuration
    registers_configuration: bool = False  # takes a dynamic didChangeConfiguration
    code_action_literals: bool = False  # takes actions that are no commands
    resolves_edits: bool = False  # asks for the edit of an action when it is taken
    document_changes: bool = False
    creates_files: bool = False
    show_document: bool = False  # takes window/showDocument
    watches_files: bool = False  # can be asked to say when one changes
    text_content: bool = False  # asks for documents of our scheme


def client_of(capabilities: types.ClientCapabilities) -> Client:
    def has(path: str) -> bool:
        return bool(_get(capabilities, path))

    resolving = "text_document.code_action.resolve_support.properties"
    edits = "workspace.workspace_edit"
    operations = f"{edits}.resource_operations"
    formats = [
        *(_get(capabilities, "text_document.hover.content_format") or ()),
    ]
    item = "text_document.completion.completion_item"
    modes = _get(capabilities, f"{item}.insert_text_mode_support.value_set") or ()
    return Client(
        inline_completion=_get(capabilities, "text_document.inline_completion") is not None,
        markdown=types.MarkupKind.Markdown in formats,
        indents_completions=tuple(modes) == (types.InsertTextMode.AdjustIndentation,),
        related_information=has("text_document.publish_diagnostics.related_information"),
        code_description=has("text_document.publish_diagnostics.code_description_support"),
        diagnostic_data=has("text_document.publish_diagnostics.data_support"),
        versioned_diagnostics=has("text_document.publish_diagnostics.version_support"),
        pulled_diagnostics=has("text_document.diagnostic")
        and has("workspace.diagnostics.refresh_support"),
        lenses=_get(capabilities, "text_document.code_lens") is not None,
        refreshes_lenses=has("workspace.code_lens.refresh_support"),
        progress=has("window.work_done_progress"),
        configuration=has("workspace.configuration"),
        registers_configuration=has("workspace.did_change_configuration.dynamic_registration"),
        code_action_literals=has("text_document.code_action.code_action_literal_support"),
        resolves_edits="edit" in (_get(capabilities, resolving) or ()),
        document_changes=has(f"{edits}.document_changes"),
        creates_files=has(f"{edits}.document_changes")
        and types.ResourceOperationKind.Create in (_get(capabilities, operations) or ()),
        show_document=has("window.show_document.support"),
        watches_files=has("workspace.did_change_watched_files.dynamic_registration"),
        text_content=has("workspace.text_document_content.dynamic_registration"),
    )


def roots_of(params: types.InitializeParams) -> tuple[Path, ...]:
    """The folders of the workspace."""
    uris = [folder.uri for folder in params.workspace_folders or ()]
    if not uris and params.root_uri:
        uris = [params.root_uri]
    paths = [to_fs_path(uri) for uri in uris if uri.startswith("file:")]
    return tuple(Path(path) for path in paths if path)


def _get(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
        if value is None:
            return None
    return value
