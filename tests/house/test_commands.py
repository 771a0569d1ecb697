"""One command line: every subcommand exists, answers --help, and is in the README; the README invents none."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points

import pytest

from tests.support.repository import ROOT

COMMANDS = sorted(entry_points(group="footnote.commands"), key=lambda entry: entry.name)
README = (ROOT / "README.md").read_text()


def test_the_installed_commands_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["entry-points"]["footnote.commands"]

    assert {each.name: each.value for each in COMMANDS} == declared, "install again: make fix"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_resolves_to_a_function_of_its_arguments(command: EntryPoint) -> None:
    main = command.load()

    assert list(inspect.signature(main).parameters) == ["argv"]
    assert command.module.split(".")[1] == "commands"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_explains_itself(command: EntryPoint, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(command.load()(["--help"]))
    said = capsys.readouterr().out

    assert ended.value.code in (0, None)
    assert f"footnote {command.name}" in said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_readme_has_a_line_for_a_command(command: EntryPoint) -> None:
    assert re.search(rf"^\| `footnote {command.name}\b.*\|$", README, re.MULTILINE)


def test_the_readme_and_architecture_name_only_commands_that_exist() -> None:
    known = {command.name for command in COMMANDS}
    texts = [README, (ROOT / "ARCHITECTURE.md").read_text()]
    named = {
        name
        for text in texts
        for name in re.findall(
            r"^\W*(?:[\w./]*/)?footnote ([a-z]+)\b", _code_of(text), re.MULTILINE
        )
    }

    assert named
    assert named - known == set()


def test_make_targets_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        name
        for document in ("README.md", "ARCHITECTURE.md", "docs/STYLE.md")
        for name in re.findall(r"\bmake ([a-z-]+)", _code_of((ROOT / document).read_text()))
    }

    assert {"demo", "test"} <= named
    assert named - targets == set()


def test_every_target_that_make_knows_has_a_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listing = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert set(re.findall(r"make ([a-z-]+) ", listing.stdout)) == set(phony.group(1).split())


def test_the_dispatcher_lists_every_command() -> None:
    listing = subprocess.run(
        [sys.executable, "-I", "-m", "lsp_server.footnote", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert listing.returncode == 0, listing.stderr
    assert {command.name for command in COMMANDS} <= set(re.findall(r"[a-z]+", listing.stdout))


def _code_of(markdown: str) -> str:
    """What stands between backquotes and fences, one piece a line."""
    fenced = re.findall(r"```[a-z]*\n(.*?)```", markdown, re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))
    return "\n".join(f"{piece}\n" for piece in fenced + inline)
