"""A copy is found where documents hold it too: in blocks of Markdown and reStructuredText, and in cells of notebooks."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.embedded import code_before, code_in
from indexer.attribution.inspection import inspect_text
from indexer.attribution.revising import revised
from indexer.attribution.selecting import files_of
from tests.indexer.attribution.conftest import LEDGER, QUEUE

if TYPE_CHECKING:
    from pathlib import Path

    from indexer.attribution.index import AttributionIndex

RENAMED = re.sub(r"\bentry\b", "item", re.sub(r"\btotals\b", "sums", LEDGER))


def notebook(cell: str, **outputs: object) -> str:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Accounts\n"]},
        {"cell_type": "code", "metadata": {}, "source": ["%matplotlib inline\n"]},
        {"cell_type": "code", "metadata": outputs, "source": cell.splitlines(keepends=True)},
    ]
    return json.dumps({"cells": cells, "metadata": {"language_info": {"name": "python"}}}, indent=1)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("```python", "```"),
        ("~~~~ py", "~~~~"),
        ("```{code-block} python", "```"),
        ("```{.python3 .numbered}", "```"),
        ("- ```", "  ```"),
        ("```python", ""),
        ("```\n```\n\n```", "```"),
    ],
)
@pytest.mark.parametrize("copy", [LEDGER, RENAMED])
def test_a_copy_in_a_block_of_markdown_is_found_with_its_lines(
    index: AttributionIndex, opening: str, closing: str, copy: str
) -> None:
    text = f"# Accounts\n\nHow they are closed.\n\n{opening}\n{copy}{closing}\n\nThat is all.\n"
    (match,) = index.check_document(text, path="README.md")
    first = text[: text.index("def ")].count("\n") + 1

    assert (match.tier, match.source.package) == ("warning", "books")
    assert (match.start_line, match.end_line) == (first, first + copy.count("\n") - 1)


def test_each_block_is_read_in_its_own_language(index: AttributionIndex) -> None:
    text = f"```js\n{QUEUE}```\n\nand\n\n```python\n{LEDGER}```\n"
    matches = index.check_document(text, language="markdown")

    assert [each.source.package for each in matches] == ["patience", "books"]


def test_what_is_no_code_is_not_read_as_such() -> None:
    text = "```text\na\n```\n```json\n{}\n```\nSay ```inline``` or\n\n```sh\nls\n```\n"

    assert code_in(text, "markdown") == [("shellscript", "\n" * 9 + "ls\n\n")]
    assert code_in("```python\nx = 1\n```\n", "python") == []


def test_a_fence_with_a_language_ends_a_block_that_nobody_closed() -> None:
    text = "```python\nx = 1\nWords.\n```js\nlet y\n```\n"

    assert code_in(text, "markdown") == [
        ("python", "\nx = 1\nWords.\n\n\n\n"),
        ("javascript", "\n\n\n\nlet y\n\n"),
    ]


def test_a_copy_under_a_directive_of_restructuredtext_is_found(index: AttributionIndex) -> None:
    block = textwrap.indent(LEDGER, "   ")
    text = f"Accounts\n========\n\n.. code-block:: python\n   :linenos:\n\n{block}\nThat is all.\n"
    (match,) = index.check_document(text, path="docs/accounts.rst")

    assert (match.source.package, match.start_line) == ("books", 7)


@pytest.mark.parametrize("copy", [LEDGER, RENAMED])
def test_a_copy_in_a_cell_of_a_notebook_is_found_at_the_lines_of_its_file(
    index: AttributionIndex, copy: str
) -> None:
    text = notebook(copy, picture="iVBORw0KGgo" * 9000)
    (match,) = inspect_text(index, "accounts.ipynb", text.encode()).matches
    first = text[: text.index('"def ')].count("\n") + 1

    assert (match.tier, match.source.package) == ("warning", "books")
    assert (match.start_line, match.end_line) == (first, first + copy.count("\n") - 1)


def test_a_notebook_that_is_none_is_read_without_a_word(index: AttributionIndex) -> None:
    assert index.check_document('{"cells": [\n"source": [\n"x\n', path="half.ipynb") == []


def test_notebooks_in_a_folder_are_checked(tmp_path: Path) -> None:
    (tmp_path / "accounts.ipynb").write_text("{}")
    (tmp_path / "accounts.png").write_text("")

    assert list(files_of([str(tmp_path)])) == [str(tmp_path / "accounts.ipynb")]


def test_what_is_accepted_inside_of_a_block_is_judged_as_code(index: AttributionIndex) -> None:
    before = f"# Accounts\n\n```js\n{QUEUE}```\n\n```python\n"
    (match,) = index.check_completion(before, RENAMED, "```\n", language="markdown")

    assert (match.source.package, match.start_line) == ("books", before.count("\n") + 1)
    assert code_before(before + "```\n\nWords.\n", "markdown") is None


def test_an_edited_document_that_holds_code_is_read_as_a_whole(index: AttributionIndex) -> None:
    lines = f"```python\n{LEDGER}```\n".splitlines(keepends=True)
    changed = [*lines[:-1], "# more\n", lines[-1]]

    assert revised(lines, [], changed, index.check_document, language="markdown") is None


def test_a_renamed_copy_in_a_script_of_a_page_is_found(index: AttributionIndex) -> None:
    names = "attempts attempt failure task pause signal onFailure error wait retry".split()
    copy = re.sub(rf"\b({'|'.join(names)})\b", lambda name: f"x{names.index(name[0])}", QUEUE)
    (match,) = index.check_document(f"<h1>Retry</h1>\n<script>\n{copy}</script>\n", path="App.vue")

    assert (match.kind, match.source.package) == ("renamed", "patience")
