"""How a match is worded."""

from __future__ import annotations

from dataclasses import replace

from indexer import Match, Source
from lsp_server import citations

SOURCE = Source(
    "click", "8.1", "click/core.py", 10, 32, "BSD-3-Clause", "https://example.org/click"
)
MATCH = Match(3, 25, "warning", "renamed", 0.962, 155, SOURCE)
OTHERS = (replace(SOURCE, package="a"), replace(SOURCE, package="b", start_line=32))


def test_a_headline_has_what_whose_where_and_which_licence() -> None:
    assert citations.headline(MATCH) == (
        "Near-verbatim, with other names (96%): click 8.1, click/core.py lines 10 to 32, "
        "BSD-3-Clause"
    )
    more = replace(MATCH, others=OTHERS, more=4, kind="verbatim")
    assert citations.headline(more).endswith("BSD-3-Clause (and 6 more)")


def test_only_what_is_the_same_is_called_a_hundred_percent() -> None:
    assert replace(MATCH, similarity=0.999).percent == "99%"
    assert replace(MATCH, similarity=1.0).percent == "100%"


def test_a_badge_names_the_nearest() -> None:
    near = replace(MATCH, similarity=0.99, source=replace(SOURCE, package="nearer"))
    assert citations.badge([MATCH, near]) == "99% like nearer 8.1 (BSD-3-Clause)"


def test_a_hover_lists_three_places_and_counts_the_rest() -> None:
    text = citations.hover_text([replace(MATCH, others=OTHERS, more=4)], markdown=True)

    assert sum(line.startswith("- ") for line in text.splitlines()) == 4
    assert "[click 8.1](https://example.org/click) `click/core.py` lines 10 to 32" in text
    assert "- [b 8.1](https://example.org/click) `click/core.py` line 32" in text
    assert "- and 4 more places" in text
    assert "96% similar, with other names, 155 tokens, lines 3 to 25 here" in text


def test_a_hover_says_whether_the_model_learned_from_it() -> None:
    for index, words in (
        ("public", "in this model's training data"),
        ("ours", "in the indexed code"),
    ):
        text = citations.hover_text(
            [replace(MATCH, index=index)], markdown=False, learned={"public"}
        )
        assert text.startswith(f"Near-verbatim {words}: ")


def test_a_hover_in_plain_text_has_no_marks() -> None:
    text = citations.hover_text([MATCH], markdown=False)

    assert not set("*`[]") & set(text)
    assert "https://example.org/click" in text
    assert "more" not in text


def test_an_address_that_is_no_web_address_is_no_link() -> None:
    source = replace(SOURCE, url="pkg:pypi/click@8.1")
    text = citations.hover_text([replace(MATCH, source=source)], markdown=True)
    assert "](" not in text
