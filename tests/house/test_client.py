"""The VS Code client repeats two things that the server owns: its settings and its own messages."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from lsp_server import settings
from tests.support.repository import ROOT

MANIFEST = ROOT / "vscode-client" / "package.json"


def test_the_settings_of_the_extension_are_those_of_the_server() -> None:
    manifest = json.loads(MANIFEST.read_text())
    shown = manifest["contributes"]["configuration"]["properties"]
    own = {name: entry for name, entry in shown.items() if _first_key(name) in settings.CLIENT_ONLY}
    expected = own | settings.json_schema()

    if shown != expected or list(shown) != list(expected):
        manifest["contributes"]["configuration"]["properties"] = expected
        MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        pytest.fail("vscode-client/package.json was out of date and is now rewritten: commit it")


def test_settings_that_name_files_are_not_taken_from_an_untrusted_workspace() -> None:
    manifest = json.loads(MANIFEST.read_text())
    trust = manifest["capabilities"]["untrustedWorkspaces"]

    assert {"footnote.serverPath", "footnote.model", "footnote.index"} <= set(
        trust["restrictedConfigurations"]
    )


def test_the_extension_carries_our_licence_and_version() -> None:
    manifest = json.loads(MANIFEST.read_text())
    assert manifest["version"] == version("footnote")
    assert (ROOT / "vscode-client" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def _first_key(name: str) -> str:
    return name.split(".")[1]
