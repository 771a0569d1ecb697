"""The VS Code client repeats two things that the server owns: its settings and its own messages."""

from __future__ import annotations

import dataclasses
import inspect
import json
import typing
from importlib.metadata import version

import pytest

from lsp_server import protocol, settings
from tests.support.repository import ROOT

MANIFEST = ROOT / "vscode-client" / "package.json"
MESSAGES = ROOT / "vscode-client" / "src" / "protocol.ts"


def test_the_settings_of_the_extension_are_those_of_the_server() -> None:
    manifest = json.loads(MANIFEST.read_text())
    shown = manifest["contributes"]["configuration"]["properties"]
    own = {name: entry for name, entry in shown.items() if _first_key(name) in settings.CLIENT_ONLY}
    expected = own | settings.json_schema()

    if shown != expected or list(shown) != list(expected):
        manifest["contributes"]["configuration"]["properties"] = expected
        MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        pytest.fail("vscode-client/package.json was out of date and is now rewritten: commit it")


def test_the_messages_of_the_extension_are_those_of_the_server() -> None:
    expected = _typescript()

    if MESSAGES.read_text() != expected:
        MESSAGES.write_text(expected)
        pytest.fail("vscode-client/src/protocol.ts was out of date and is now rewritten: commit it")


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


def _typescript() -> str:
    """protocol.py in the other language: its names that are texts, and its messages."""
    constants = [
        f"export const {name} = {json.dumps(value)};"
        for name, value in vars(protocol).items()
        if name.isupper() and isinstance(value, str)
    ]
    messages = [
        _interface(message)
        for _, message in inspect.getmembers(protocol, dataclasses.is_dataclass)
        if message.__module__ == protocol.__name__
    ]
    head = "// Generated from lsp_server/protocol.py by tests/house/test_client.py."
    return "\n\n".join([head, "\n".join(constants), *messages]) + "\n"


def _interface(message: type) -> str:
    hints = typing.get_type_hints(message)
    fields = [f"  {_camel(name)}: {_typescript_type(hint)};" for name, hint in hints.items()]
    return "\n".join(
        [f"/** {message.__doc__} */", f"export interface {message.__name__} {{", *fields, "}"]
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _typescript_type(hint: typing.Any) -> str:
    plain = {bool: "boolean", str: "string", int: "number", float: "number", typing.Any: "unknown"}
    if hint in plain:
        return plain[hint]
    if dataclasses.is_dataclass(hint):
        return hint.__name__
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return f"{_typescript_type(arguments[0])}[]"
    assert origin is dict, f"teach this test what {hint} is in TypeScript"
    return f"Record<string, {_typescript_type(arguments[1])}>"
