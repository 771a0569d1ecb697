"""What `footnote check` takes for code: by endings, by names, and by the first line of a script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indexer.attribution.families import PLAIN, family_of
from indexer.attribution.inspection import inspect_text
from indexer.attribution.recognizing import _PROGRAMS, language_as_checked
from indexer.attribution.selecting import files_of
from indexer.commands import check
from tests.indexer.attribution.conftest import LEDGER, QUEUE
from tests.indexer.attribution.test_changes import git
from tests.indexer.attribution.test_check import found

if TYPE_CHECKING:
    from indexer.attribution.index import AttributionIndex

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("#!/usr/bin/env node", "javascript"),
        ("#! /usr/bin/nodejs", "javascript"),
        ("#!/usr/bin/python3 -u", "python"),
        ("#!/usr/bin/env python3.12\r", "python"),
        ("#!/usr/lib/pypy3.10/bin/pypy3", "python"),
        ("#!/usr/bin/env -S deno run --allow-net", "typescript"),
        ("#!/usr/bin/env -Sbun", "typescript"),
        ("#!/usr/bin/env -S npx --yes ts-node", "typescript"),
        ("#!/usr/bin/env -S NODE_ENV=test node", "javascript"),
        ("#!/usr/bin/env -S uv run --script", "python"),
        ("#!C:\\Python\\python.exe", "python"),
        ("#!/bin/sh", "shellscript"),
        ("#!/bin/busybox sh", "shellscript"),
        ("#!/usr/bin/Rscript", "r"),
        ("#!/usr/bin/perl5.36", "perl"),
        ("#!/usr/bin/awk -f", ""),
        ("#!/usr/bin/env", ""),
        ("#!", ""),
        ("#![no_std]", ""),
        ("\n#!/bin/sh", ""),
        ("", ""),
    ],
)
def test_the_first_line_of_a_script_tells_its_language(line: str, language: str) -> None:
    assert language_as_checked("bin/tool", f"{line}\necho\n") == language


def test_a_name_tells_more_than_the_first_line() -> None:
    assert language_as_checked("Makefile", "#!/usr/bin/env node\n") == "makefile"
    assert language_as_checked("tool.txt", "#!/usr/bin/env node\n") == ""
    assert language_as_checked("v1.2/tool", "#!/usr/bin/env node\n") == "javascript"


def test_the_language_of_every_interpreter_is_one_that_is_read_as_code() -> None:
    assert [name for name in _PROGRAMS if family_of(name) is PLAIN] == []


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.mdx", "mdx"),
        ("a.astro", "html"),
        ("show.html.erb", "html"),
        ("a.hbs", "handlebars"),
        ("a.ES6", "javascript"),
        ("a.sage", "python"),
        ("src/SConstruct", "python"),
        ("Snakefile", "python"),
        ("a.js.flow", "javascript"),
        ("a.py.j2", "python"),
        ("a.ts.in", "typescript"),
        ("a.ts.ejs", "typescript"),
        ("a.es6.tmpl", "javascript"),
        ("CMakeLists.txt.in", "cmake"),
        ("a.json.j2", ""),
        ("a.md.tmpl", ""),
        ("py.j2", ""),
        ("Makefile.in", ""),
        ("a.tmpl", ""),
        ("a.flow", ""),
        ("a.ipynb", "jupyter"),
    ],
)
def test_a_template_is_in_the_language_of_what_it_is_a_template_of(
    path: str, language: str
) -> None:
    assert language_as_checked(path) == language


@pytest.mark.parametrize("tracked", [True, False])
def test_scripts_without_an_ending_are_found_in_folders_and_by_name(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    tracked: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("bin/close", "built/close", "node_modules/a/close"):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text("#!/usr/bin/env python3\n" + LEDGER)
    Path("bin/retry").write_bytes(b"\xef\xbb\xbf#!/usr/bin/env node\n" + QUEUE.encode())
    Path("bin/words").write_text(LEDGER)
    Path("bin/data").write_bytes(bytes(range(256)))
    Path("bin/link").symlink_to("close")
    os.mkfifo("bin/pipe")
    if tracked:
        git(tmp_path, "init", "-q")
        Path(".gitignore").write_text("built\n")
    else:
        Path("built/close").unlink()

    assert found(capsys) == {"bin/close": 1, "bin/retry": 1}
    assert found(capsys, "bin/close", "bin/words") == {"bin/close": 1, "bin/words": 1}


def test_no_file_with_a_known_name_is_opened_to_select_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "Makefile", "wscript", "notes.txt", ".profile"):
        (tmp_path / name).write_text("#!/bin/sh\n")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("builtins.open", refuse)
    names = [Path(each).name for each in files_of([str(tmp_path)], ignoring=False)]
    assert names == ["Makefile", "a.py", "wscript"]


def test_a_file_without_an_ending_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("#!/bin/sh\n")
    opened = open

    def closed(path: Any, *arguments: Any, **keywords: Any) -> Any:
        if path == str(secret):  # also where the tests are run by root
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **keywords)

    monkeypatch.setattr("builtins.open", closed)

    assert check.main([str(tmp_path)]) == 0
    assert f"not checked: {secret} (Permission denied)" in capsys.readouterr().err


def test_a_copy_in_a_block_of_mdx_is_found_under_long_paragraphs(index: AttributionIndex) -> None:
    paragraph = "Many words on one line. " * 300
    text = f"import Chart from './chart'\n\n{paragraph}\n\n```js\n{QUEUE}```\n\n<Chart />\n"
    inspection = inspect_text(index, "docs/retry.mdx", text.encode())

    assert (inspection.skipped, len(inspection.matches)) == ("", 1)


def test_a_folder_with_nothing_to_check_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text(LEDGER)

    assert check.main([str(tmp_path)]) == 0
    assert "nothing to check there: " in capsys.readouterr().err
    assert check.main([str(tmp_path / "notes.txt")]) == 1
    assert "1 match in 1 of 1 file" in capsys.readouterr().err
