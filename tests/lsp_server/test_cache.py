"""The suggestion cache: typing along, deleting back, and nothing that does not fit."""

from __future__ import annotations

import pytest

from lsp_server.cache import Suggestion, SuggestionCache

URI = "file:///a.py"


@pytest.fixture
def cache() -> SuggestionCache:
    cache = SuggestionCache()
    cache.put(Suggestion("s1", "alpha beta"), uri=URI, prefix="x = ", suffix=")\n")
    return cache


def found(cache: SuggestionCache, prefix: str, suffix: str = ")\n", uri: str = URI) -> str | None:
    suggestion = cache.find(uri=uri, prefix=prefix, suffix=suffix)
    return suggestion.text if suggestion else None


@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        ("x = ", "alpha beta"),
        ("x = a", "lpha beta"),
        ("x = alpha", " beta"),
        ("x = alpha beta", None),
        ("x = b", None),
        ("x =", None),
        ("y = ", None),
        ("longer x = ", None),
    ],
)
def test_a_suggestion_fits_where_the_typed_text_is_its_beginning(
    cache: SuggestionCache, prefix: str, rest: str | None
) -> None:
    assert found(cache, prefix) == rest


def test_other_text_behind_the_cursor_or_another_file_does_not_fit(cache: SuggestionCache) -> None:
    assert found(cache, "x = ", "\n") is None
    assert found(cache, "x = ", uri="file:///b.py") is None


def test_a_rest_of_spaces_is_no_suggestion() -> None:
    cache = SuggestionCache()
    cache.put(Suggestion("s1", "a \n "), uri=URI, prefix="", suffix="")
    assert found(cache, "a", "") is None


def test_only_the_newest_are_kept_and_use_keeps_one_young() -> None:
    cache = SuggestionCache(size=2)
    for name in "ab":
        cache.put(Suggestion(name, name), uri=name, prefix="", suffix="")
    assert found(cache, "", "", uri="a") == "a"
    cache.put(Suggestion("c", "c"), uri="c", prefix="", suffix="")

    assert [found(cache, "", "", uri=name) for name in "abc"] == ["a", None, "c"]


def test_a_suggestion_grows_old() -> None:
    now = [0.0]
    cache = SuggestionCache(seconds=300, clock=lambda: now[0])
    cache.put(Suggestion("s1", "text"), uri=URI, prefix="", suffix="")
    now[0] = 299.0
    assert found(cache, "", "") == "text"
    now[0] = 301.0
    assert found(cache, "", "") is None


def test_a_late_verdict_stays_with_the_suggestion(cache: SuggestionCache) -> None:
    assert not cache.find(uri=URI, prefix="x = ", suffix=")\n").checked
    cache.judge("s1", ())
    assert cache.find(uri=URI, prefix="x = al", suffix=")\n").checked
    cache.judge("gone", ())


def test_dropping_and_clearing_forget(cache: SuggestionCache) -> None:
    cache.drop("s1")
    cache.drop("s1")
    assert found(cache, "x = ") is None
    cache.put(Suggestion("s2", "text"), uri=URI, prefix="", suffix="")
    cache.clear()
    assert len(cache) == 0


def test_of_a_closed_document_nothing_is_kept(cache: SuggestionCache) -> None:
    cache.put(Suggestion("s2", "text"), uri="file:///b.py", prefix="", suffix="")
    cache.forget(URI)
    assert len(cache) == 1
    assert found(cache, "", "", uri="file:///b.py") == "text"


def test_a_long_file_is_compared_by_the_text_near_the_cursor(cache: SuggestionCache) -> None:
    head = "line\n" * 1000
    cache.put(Suggestion("s2", "text"), uri=URI, prefix=head + "y = ", suffix="")
    assert found(cache, head + "y = te", "") == "xt"
    assert found(cache, head.replace("line\n", "nine\n") + "y = te", "") is None


def test_suggestions_made_together_are_found_together_the_best_first() -> None:
    cache = SuggestionCache()
    made = [Suggestion("s1", "first(a)"), Suggestion("s1.2", "fine"), Suggestion("s1.3", "other")]
    cache.put(*made, uri=URI, prefix="x = ", suffix="", n_sought=3)

    def texts(prefix: str) -> list[str]:
        found = cache.find_all(uri=URI, prefix=prefix, suffix="", n_wanted=3)
        return [each.text for each in found]

    assert texts("x = f") == ["irst(a)", "ine"]
    assert texts("x = fin") == ["e"]
    assert texts("x = ") == ["first(a)", "fine", "other"]
    assert found(cache, "x = o", "") == "ther"
    cache.drop("s1")
    assert texts("x = ") == ["fine", "other"]


def test_where_fewer_were_sought_than_are_wanted_there_may_be_more(cache: SuggestionCache) -> None:
    assert cache.find_all(uri=URI, prefix="x = ", suffix=")\n", n_wanted=3) == ()
    assert found(cache, "x = ") == "alpha beta"


@pytest.mark.parametrize(
    ("text", "prefix", "is_one"),
    [
        ("a:\n    b", "if a:\n    b", True),
        ("a:\n    b", "if a:\n    b ", False),
        ("a:\n    b", "if a:\n", False),
        ("a", "if a", True),
        ("a", "if b", False),
    ],
)
def test_the_end_of_a_suggestion_that_was_taken_is_known(
    text: str, prefix: str, is_one: bool
) -> None:
    cache = SuggestionCache()
    cache.put(Suggestion("s1", text), uri=URI, prefix="if ", suffix="\n")

    found = cache.taken(uri=URI, prefix=prefix)
    assert (None if found is None else found.text) == (text if is_one else None)
    assert cache.taken(uri="file:///b.py", prefix=prefix) is None
