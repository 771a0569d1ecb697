"""The bar on a terminal of any width, and the lines elsewhere."""

from __future__ import annotations

import re

import pytest

from indexer.curation.progress import Bar

PATH = "app/routes/[id]/deeply/nested/[/odd]/page_with_a_long_name.tsx"


def drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **env: str) -> str:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", **env}.items():
        monkeypatch.setenv(name, value)
    with Bar() as bar:
        bar.stage("checking", 2860)
        bar.step(PATH, 1234)
    return capsys.readouterr().err


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_how_much_is_done_is_read_at_any_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn(monkeypatch, capsys, COLUMNS=str(columns)))
    line = [each for each in re.split(r"[\r\n]", plain) if each.strip()][-1]

    assert "1234/2860" in line
    assert "0:00:00" in line
    assert len(line.rstrip()) <= columns


def test_of_a_path_the_end_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "…dly/[/odd]/page_with_a_long_name.tsx"[-30:] in drawn(monkeypatch, capsys, COLUMNS="90")
    assert PATH in drawn(monkeypatch, capsys, COLUMNS="140")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn(monkeypatch, capsys, TERM="dumb") == f"checking 1234/2860 {PATH}\n"
