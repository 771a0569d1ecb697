"""What a person can set: one frozen value with defaults, descriptions and a JSON schema."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

NAMESPACE = "footnote"
# The extension declares these itself; they are not ours to know, nor to warn about.
CLIENT_ONLY = frozenset({"trace", "serverPath"})

_EXCLUDED = (
    "**/.env*",
    "**/*.pem",
    "**/*.key",
    "**/*.{p12,pfx,jks,keystore}",
    "**/id_{rsa,dsa,ecdsa,ed25519}",
    "**/*secret*",
    "**/*.lock",
    "**/{package-lock.json,pnpm-lock.yaml,go.sum}",
    "**/*.{min.js,min.css,map}",
    "**/*_pb2.py",
    "**/*.generated.*",
    "**/node_modules/**",
)
# As VS Code, Neovim and Emacs name them.
_PROSE = ("plaintext", "text", "markdown", "git-commit", "gitcommit", "scminput")


def _setting(default: Any, description: str, **limits: Any) -> Any:
    """Declare a field; `limits` go into the schema as they are."""
    return field(default_factory=lambda: default, metadata={"description": description, **limits})


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    min_show_delay_ms: int = _setting(
        150,
        "Show an automatic suggestion no sooner than this many milliseconds after the last edit. "
        "It is computed meanwhile; typing along a suggestion does not wait.",
        minimum=0,
        maximum=2000,
    )
    max_debounce_ms: int = _setting(
        75,
        "Longest wait in milliseconds before the model is asked while you type. The wait adapts "
        "to how fast you type; 0 asks at once.",
        minimum=0,
        maximum=1000,
    )
    time_limit_ms: int = _setting(
        2000,
        "Most milliseconds an automatic suggestion may take; the whole lines made so far are "
        "shown when they are over. 0 sets no limit.",
        minimum=0,
        maximum=60000,
    )
    prompt_tokens: int = _setting(
        0,
        "Most tokens of the text around the cursor that the model reads; 0 is what it is best "
        "served with. With more a jump to another place takes longer.",
        minimum=0,
        maximum=8192,
    )
    min_confidence_percent: int = _setting(
        -1,
        "Automatic suggestions of which the model is less sure than this (the mean probability of "
        "their tokens) are not shown; 0 shows all, -1 is what was measured to be best for the model.",
        minimum=-1,
        maximum=100,
    )
    in_comments: bool = _setting(
        True,
        "Suggest inside comments and docstrings while you type; a line at a time, as in strings. "
        "Asking by a key brings a suggestion anywhere.",
    )
    warm_up: bool = _setting(
        True,
        "Read the text around the cursor into the model when it rests there and nothing else is "
        "asked, so that the first suggestion comes as fast as the next.",
    )
    look_ahead: bool = _setting(
        True,
        "While a suggestion is shown and nothing else is asked, compute what would follow it, so "
        "that the next suggestion is there when this one is accepted.",
    )
    save_battery: bool = _setting(
        True,
        "On battery, wait twice as long before the model is asked while you type, and compute "
        "nothing ahead.",
    )


@dataclass(frozen=True, slots=True)
class ContextSettings:
    enabled: bool = _setting(
        True,
        "Show the model excerpts of other files of the workspace too: what the file imports, and "
        "passages of open files that are like the text around the cursor. Files that are excluded "
        "or named in a `.footnoteignore` are never read.",
    )
    max_tokens: int = _setting(
        -1,
        "Most tokens of such excerpts, where fewer are wanted than were measured to be best for the "
        "model; -1 is that measure.",
        minimum=-1,
        maximum=4096,
    )


@dataclass(frozen=True, slots=True)
class AttributionSettings:
    mode: str = _setting(
        "warn",
        "What to do with a suggestion that is near-verbatim text of the corpus: `warn` shows it "
        "and says so, `hide` drops it, `regenerate` asks the model for another one.",
        enum=("warn", "hide", "regenerate"),
    )
    diagnostics: bool = _setting(
        True, "Mark near-verbatim passages of the open files, whoever wrote them."
    )
    code_lens: bool = _setting(
        True,
        "Say above a passage that was suggested here and accepted whose text it is; a click opens "
        "the source.",
    )
    diagnostics_delay_ms: int = _setting(
        400,
        "Check a file for near-verbatim passages after this many milliseconds without an edit.",
        minimum=50,
        maximum=10000,
    )
    acceptance_log: bool = _setting(
        True,
        "Note accepted suggestions that are near-verbatim text of the corpus in a file among "
        "Footnote's data: place, source, licence and a hash, never the text itself.",
    )
    permissive_severity: str = _setting(
        "information",
        "How a near-verbatim passage of permissively licensed code is marked; one that is less "
        "certain is marked one step lower.",
        enum=("warning", "information", "hint", "off"),
    )
    other_severity: str = _setting(
        "warning",
        "How a near-verbatim passage is marked whose licence is copyleft or not known.",
        enum=("warning", "information", "hint", "off"),
    )
    budget_ms: int = _setting(
        5,
        "Most milliseconds that the check of a suggestion may delay it when the mode is `warn`; "
        "after that it is shown and checked later.",
        minimum=0,
        maximum=1000,
    )


@dataclass(frozen=True, slots=True)
class Settings:
    enabled: bool = _setting(True, "Suggest completions.")
    languages: Mapping[str, bool] = _setting(
        MappingProxyType(dict.fromkeys(_PROSE, False)),
        "Language ids for which suggestions are switched on or off; all others are on, but for "
        "these of prose.",
    )
    exclude: tuple[str, ...] = _setting(
        _EXCLUDED, "No suggestions in files whose path matches one of these patterns."
    )
    model: str = _setting(
        "",
        "Folder of the model (a checkpoint), or a GGUF file. Empty: the model that comes with Footnote.",
    )
    backend: str = _setting(
        "auto",
        "What computes: `native` (own kernels), `openvino` or `torch`, and `llama_cpp` for GGUF "
        "files; `auto` is the fastest of those installed, timed once while you rest (`footnote "
        "doctor` shows the figures).",
        enum=("auto", "native", "openvino", "torch", "llama_cpp"),
    )
    device: str = _setting(
        "auto",
        "Where torch computes: `cpu`, `cuda` or `mps`; `auto` is an accelerator where that is faster.",
        enum=("auto", "cpu", "cuda", "mps"),
    )
    index: str = _setting(
        "",
        "Attribution indexes to search, with commas between: `public` (the corpus's), the names that "
        "`footnote index build --from` gave, or folders. Empty: all there are.",
    )
    unload_after_minutes: int = _setting(
        15,
        "Give the memory of the model back after this many minutes without a request; "
        "0 keeps it loaded.",
        minimum=0,
        maximum=10080,
    )
    completion: CompletionSettings = field(default_factory=CompletionSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    attribution: AttributionSettings = field(default_factory=AttributionSettings)


def parse(raw: Any) -> tuple[Settings, list[str]]:
    """Read what a client sent; every problem becomes a sentence and the default stands."""
    if raw is None:
        return Settings(), []
    if not isinstance(raw, Mapping):
        return Settings(), [f"the settings must be an object, not {_shown(raw)}"]
    if set(raw) == {NAMESPACE} and isinstance(raw[NAMESPACE], Mapping):
        raw = raw[NAMESPACE]
    problems: list[str] = []
    return _read(Settings, _nested(raw), "", problems), problems


def merged(base: Any, over: Any) -> Any:
    """`over` laid upon `base`, deep; what is not an object replaces what was there."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return base if over is None else over
    both = dict(base)
    for key, value in over.items():
        both[key] = merged(both[key], value) if key in both else value
    return both


def json_schema() -> dict[str, Any]:
    """The settings as `contributes.configuration.properties` of a VS Code extension."""
    return _schema(Settings, f"{NAMESPACE}.")


def _schema(cls: type, prefix: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for each in dataclasses.fields(cls):
        name = prefix + _camel(each.name)
        if (nested := _nested_class(each)) is not None:
            properties |= _schema(nested, f"{name}.")
            continue
        default = _plain(_default(each))
        entry: dict[str, Any] = {"type": _json_type(default), "default": default}
        if isinstance(default, list):
            entry["items"] = {"type": "string"}
        if isinstance(default, dict):
            entry["additionalProperties"] = {"type": "boolean"}
        for key, value in each.metadata.items():
            entry["markdownDescription" if key == "description" else key] = _plain(value)
        properties[name] = entry
    return properties


def _read(cls: type, raw: Mapping[str, Any], prefix: str, problems: list[str]) -> Any:
    known = {_camel(each.name): each for each in dataclasses.fields(cls)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        name = f"{NAMESPACE}.{prefix}{key}"
        if key not in known:
            if prefix or key not in CLIENT_ONLY:
                problems.append(_unknown(name, key, known))
        elif value is None:
            continue
        elif (nested := _nested_class(known[key])) is not None:
            if isinstance(value, Mapping):
                values[known[key].name] = _read(nested, value, f"{prefix}{key}.", problems)
            else:
                problems.append(f"{name} must be an object, not {_shown(value)}")
        elif (wrong := _wrong(value, known[key])) is not None:
            problems.append(f"{name} must be {wrong}, not {_shown(value)}; the default stands")
        else:
            values[known[key].name] = _frozen(merged(_plain(_default(known[key])), value))
    return cls(**values)


def _wrong(value: Any, each: dataclasses.Field[Any]) -> str | None:
    """What the value should have been, or None where it is fine."""
    default = _plain(_default(each))
    limits = each.metadata
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        low, high = limits["minimum"], limits["maximum"]
        fine = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if fine else f"a whole number from {low} to {high}"
    if isinstance(default, list):
        fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return None if fine else "a list of strings"
    if isinstance(default, dict):
        fine = isinstance(value, Mapping) and all(isinstance(on, bool) for on in value.values())
        return None if fine else "an object of language ids with true or false"
    if "enum" in limits:
        return None if value in limits["enum"] else "one of " + ", ".join(limits["enum"])
    return None if isinstance(value, str) else "a string"


def _unknown(name: str, key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    stem = name[: len(name) - len(key)]
    if close:
        return f"unknown setting {name!r}; did you mean {stem + close[0]!r}?"
    return f"unknown setting {name!r}; known: {', '.join(sorted(known))}"


def _nested(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Turn keys with dots, as people copy them from settings.json, into objects."""
    result: dict[str, Any] = {}
    for key, value in raw.items():
        name = str(key).removeprefix(f"{NAMESPACE}.")
        for part in reversed(name.split(".")[1:]):
            value = {part: value}
        first = name.split(".")[0]
        result[first] = merged(result[first], value) if first in result else value
    return result


def _default(each: dataclasses.Field[Any]) -> Any:
    assert each.default_factory is not dataclasses.MISSING, "every setting has a default"
    return each.default_factory()


def _nested_class(each: dataclasses.Field[Any]) -> type | None:
    factory: Any = each.default_factory
    return factory if isinstance(factory, type) else None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return MappingProxyType(dict(value)) if isinstance(value, Mapping) else value


def _json_type(default: Any) -> str:
    names = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
    return names[type(default)]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
