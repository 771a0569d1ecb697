"""A passage beside its source."""

from __future__ import annotations

import pytest

from indexer import Source
from lsp_server.comparison import beginning, differences, fenced

TEXT = "x = 1\r\n    def area(width, height):\r\n        return width * height\r\ny = 2\r\n"
SOURCE = Source("p", "1", "a.py", 2, 3, "MIT", "")


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ("def area(width,\n  height):\n    return width * height\n", ""),
        (
            "def area(w, height):\n    return w * height\n",
            "Here it says `w` for `width`.",
        ),
        (
            "def area(width, height):\n    return width * height + 1\n",
            "Here 2 words differ.",
        ),
        (
            "def area(w, height):\n    return w * height * 2\n",
            "Here it says `w` for `width`; 2 words differ.",
        ),
        ("", "Here 12 words differ."),
    ],
)
def test_what_differs_is_said_in_a_sentence(here: str, said: str) -> None:
    assert differences(TEXT, SOURCE, here) == said


def test_the_source_begins_at_the_margin() -> None:
    assert beginning(TEXT, SOURCE) == ["def area(width, height):", "    return width * height"]
    long = Source("p", "1", "a.py", 1, 90, "MIT", "")
    assert beginning("x\n" * 90, long) == ["x"] * 8 + ["..."]
    assert beginning("", long) == [""]


def test_a_block_holds_whatever_it_is_given() -> None:
    assert fenced(["a"], "python") == "```python\na\n```"
    assert fenced(["```", "````x"], "") == "`````\n```\n````x\n`````"
