"""The dispatcher: finds commands, teaches, and leaves quietly."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from lsp_server import footnote


def command(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    """Make `footnote try` run a function."""

    class Fake:
        name = "try"

        def load(self) -> object:
            return run

    monkeypatch.setattr(footnote, "_find", lambda name: Fake() if name == "try" else None)


def test_the_arguments_behind_the_command_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[list[str]] = []

    def run(argv: list[str]) -> int:
        received.append(argv)
        return 7

    command(monkeypatch, run)

    assert footnote.main(["try", "--this", "that"]) == 7
    assert received == [["--this", "that"]]


def test_no_command_is_usage_and_help_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert footnote.main([]) == 2
    assert footnote.main(["--help"]) == 0
    shown = capsys.readouterr().out

    assert shown.count("usage: footnote COMMAND") == 2
    for name in ("setup", "demo", "serve", "complete", "check", "doctor", "corpus", "train"):
        assert f"  {name} " in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert footnote.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("footnote ")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("srve", "there is no command 'srve'; did you mean `footnote serve`?"),
        ("--complete", "there is no option '--complete'; did you mean `footnote complete`?"),
        ("zzzzz", "there is no command 'zzzzz'; `footnote --help` lists them"),
    ],
)
def test_a_mistyped_command_gets_a_hint(
    typed: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert footnote.main([typed]) == 2
    assert hint in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_argv: list[str]) -> int:
        raise KeyboardInterrupt

    command(monkeypatch, run)

    assert footnote.main(["try"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("error", [ValueError("odd"), PermissionError(13, "denied")])
def test_a_defect_is_an_error_and_no_finding(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_argv: list[str]) -> int:
        raise error

    command(monkeypatch, run)

    assert footnote.main(["try"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "please report it" in said


def test_a_command_that_is_not_installed_whole_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = EntryPoint("try", "lsp_server.commands.no_such_module:main", footnote.GROUP)
    monkeypatch.setattr(footnote, "_find", lambda _name: broken)

    assert footnote.main(["try"]) == 2
    assert "install Footnote again" in capsys.readouterr().err


def test_output_that_nobody_reads_to_its_end_is_no_traceback() -> None:
    code = (
        "import sys; from lsp_server import footnote\n"
        "footnote.overview = lambda: 'line\\n' * 200_000\n"
        "sys.exit(footnote.main(['--help']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_output_that_finds_no_room_is_no_traceback() -> None:
    code = (
        "import errno, sys; from lsp_server import footnote\n"
        "class Full:\n"
        "    tried = False\n"
        "    def write(self, text): return len(text)\n"
        "    def flush(self):\n"
        "        first, self.tried = not self.tried, True\n"
        "        if first: raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "sys.stdout = Full()\n"
        "sys.exit(footnote.main(['--help']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, check=False, text=True
    )

    assert done.returncode == 2
    assert done.stderr.startswith("footnote: no space is left")
    assert "Traceback" not in done.stderr
