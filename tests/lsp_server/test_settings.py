"""Settings: every bad value becomes a sentence, and the default stands."""

from __future__ import annotations

import pytest

from lsp_server.settings import Settings, json_schema, merged, parse


@pytest.mark.parametrize("raw", [None, {}, {"footnote": {}}, {"trace": {"server": "off"}}])
def test_nothing_said_means_the_defaults(raw: object) -> None:
    assert parse(raw) == (Settings(), [])


@pytest.mark.parametrize(
    "raw",
    [
        {"attribution": {"mode": "hide"}},
        {"footnote": {"attribution": {"mode": "hide"}}},
        {"attribution.mode": "hide"},
        {"footnote.attribution.mode": "hide"},
    ],
)
def test_a_setting_may_be_nested_or_have_dots(raw: object) -> None:
    settings, problems = parse(raw)

    assert problems == []
    assert settings.attribution.mode == "hide"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], "the settings must be an object, not []"),
        ({"enabled": "yes"}, "footnote.enabled must be true or false, not 'yes'"),
        ({"enabled": 1}, "footnote.enabled must be true or false, not 1"),
        ({"completion": 3}, "footnote.completion must be an object, not 3"),
        ({"completion": {"timeLimitMs": True}}, "must be a whole number from 0 to 60000"),
        ({"completion": {"timeLimitMs": -1}}, "must be a whole number from 0 to 60000, not -1"),
        ({"attribution": {"mode": "loud"}}, "must be one of warn, hide, regenerate"),
        ({"exclude": "*.py"}, "must be a list of strings"),
        ({"languages": {"python": "no"}}, "must be an object of language ids with true or false"),
        ({"model": 3}, "footnote.model must be a string, not 3"),
        ({"enable": True}, "unknown setting 'footnote.enable'; did you mean 'footnote.enabled'?"),
        ({"zzz": True}, "unknown setting 'footnote.zzz'; known: attribution, backend"),
        ({"model": ["x" * 99]}, "not ['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...; the default stands"),
    ],
)
def test_a_problem_is_named_and_changes_nothing(raw: object, problem: str) -> None:
    settings, problems = parse(raw)

    assert settings == Settings()
    assert len(problems) == 1
    assert problem in problems[0]


def test_one_bad_value_does_not_spoil_the_others() -> None:
    settings, problems = parse({"enabled": False, "completion": {"timeLimitMs": "x"}})

    assert settings.enabled is False
    assert len(problems) == 1


def test_languages_that_are_not_named_keep_their_defaults() -> None:
    settings, problems = parse({"languages": {"python": False, "markdown": True}})

    assert problems == []
    assert settings.languages["plaintext"] is False
    assert (settings.languages["python"], settings.languages["markdown"]) == (False, True)


def test_what_the_editor_tells_is_laid_upon_what_it_gave_at_the_start() -> None:
    start = {"attribution": {"mode": "hide", "budgetMs": 7}, "model": "a"}
    told = {"attribution": {"mode": "warn"}, "model": None}

    assert merged(start, told) == {"attribution": {"mode": "warn", "budgetMs": 7}, "model": "a"}
    assert merged(start, None) == start
    assert merged(None, told) == told


def test_every_setting_has_a_description_and_its_default_fits_its_schema() -> None:
    schema = json_schema()
    types = {"boolean": bool, "integer": int, "string": str, "array": list, "object": dict}

    assert len(schema) >= 12
    for name, entry in schema.items():
        assert name.startswith("footnote.")
        assert entry["markdownDescription"].endswith(".")
        assert isinstance(entry["default"], types[entry["type"]])
        assert entry["default"] in entry.get("enum", [entry["default"]])
    assert parse({name: entry["default"] for name, entry in schema.items()}) == (Settings(), [])


def test_the_backends_and_devices_are_those_of_the_engine() -> None:
    from engine.backends import AUTO, BACKENDS, LLAMA_CPP
    from engine.devices import DEVICES

    schema = json_schema()

    assert schema["footnote.backend"]["enum"] == [AUTO, *BACKENDS, LLAMA_CPP]
    assert schema["footnote.device"]["enum"] == [AUTO, *DEVICES]
