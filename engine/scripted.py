"""The Completer that follows a script: for tests, demonstrations, and showing what a failure does.

`scripted:echo` answers "[before|after]" with the line around the gap; `scripted:` and a template
answers the template; `scripted:/path/to/script.json` follows rules, the first that fits:

    {"load_ms": 0, "load_error": "", "rules": [
      {"prefix": "regular expression", "suffix": "...", "path": "...",
       "text": "{before}|{after}", "delay_ms": 0, "steps": 1, "stop_reason": "end",
       "replace_after": 0, "others": ["..."], "error": "", "exit": 3}]}

In a text {before} and {after} are the line around the gap, {prefix} and {suffix} all of it, {path}
and {language} what they say, {context} the excerpts of other files. The delay is spread over the steps, and cancelling is seen between
two. `others` are the alternatives, filled in likewise, of which one answers where the text is banned. `error` raises, `exit` ends the process as
a crash would. There are no gates and no trimming; where no tokens are wanted nothing happens.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.api import (
    Alternative,
    CancelToken,
    Completion,
    CompletionOptions,
    Gap,
    ModelInfo,
    ModelUnavailable,
)

_ECHO = "[{before}|{after}]"


class ScriptedError(Exception):
    """What a script raises."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One answer, and when it is given; expressions are searched for, and empty ones fit all."""

    text: str = ""
    prefix: str = ""
    suffix: str = ""
    path: str = ""
    delay_ms: float = 0.0
    steps: int = 1
    stop_reason: str = "end"
    replace_after: int = 0
    others: tuple[str, ...] = ()
    error: str = ""
    exit: int | None = None

    def fits(self, gap: Gap) -> bool:
        pairs = ((self.prefix, gap.prefix), (self.suffix, gap.suffix), (self.path, gap.path))
        return all(re.search(wanted, found) for wanted, found in pairs)


class ScriptedCompleter:
    """Answers by rule. `sleep` takes seconds."""

    def __init__(self, rules: list[Rule], sleep: Callable[[float], None] = time.sleep) -> None:
        self._rules = rules
        self._sleep = sleep

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        """What the first fitting rule says, or the first of its others if that is banned.

        Empty if no rule fits or all is banned.
        """
        started = time.perf_counter()
        if options.max_new_tokens == 0:
            return Completion("", "length")
        rule = next((each for each in self._rules if each.fits(gap)), Rule())
        for _ in range(max(1, rule.steps)):
            if cancel.cancelled:
                return Completion("", "cancelled")
            self._sleep(rule.delay_ms / 1000 / max(1, rule.steps))
        if cancel.cancelled:
            return Completion("", "cancelled")
        if rule.exit is not None:
            os._exit(rule.exit)
        if rule.error:
            raise ScriptedError(rule.error)
        text = _filled(rule.text, gap)
        total = {"total": (time.perf_counter() - started) * 1000}
        texts = [text, *(_filled(each, gap) for each in rule.others)]
        left = [each for each in texts if not any(ban.forbids(each) for ban in options.banned)]
        if not left:
            return Completion("", "dropped:banned", timings_ms=total)
        text, *rest = left
        others = tuple(map(Alternative, rest))
        return Completion(
            text,
            rule.stop_reason,
            rule.replace_after,
            timings_ms=total,
            alternatives=others[: max(0, options.n_candidates - 1)],
        )

    def describe(self) -> ModelInfo:
        return ModelInfo(name="scripted", device="none", dtype="none", parameters=0)

    def close(self) -> None:
        """Nothing is held."""


def _filled(template: str, gap: Gap) -> str:
    values = {
        "before": re.split(r"\r?\n", gap.prefix)[-1],
        "after": re.split(r"\r?\n", gap.suffix, maxsplit=1)[0],
        "prefix": gap.prefix,
        "suffix": gap.suffix,
        "path": gap.path,
        "language": gap.language,
        "context": "".join(each.text for each in gap.context),
    }
    return re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], name[0]), template)


def load_script(name: str) -> ScriptedCompleter:
    """A completer from what stands behind `scripted:`; ModelUnavailable when it cannot be read."""
    if name == "echo":
        return ScriptedCompleter([Rule(_ECHO)])
    if not name.endswith(".json"):
        return ScriptedCompleter([Rule(name)])
    try:
        script = json.loads(Path(name).read_text(encoding="utf-8"))
        rules = [_rule(each) for each in script.get("rules", [])]
        load_ms, load_error = float(script.get("load_ms", 0)), script.get("load_error", "")
    except (OSError, ValueError, TypeError, AttributeError, re.error) as error:
        raise ModelUnavailable(f"the script {name} cannot be followed: {error}") from error
    time.sleep(load_ms / 1000)
    if load_error:
        raise ModelUnavailable(str(load_error))
    return ScriptedCompleter(rules)


def _rule(values: Mapping[str, Any]) -> Rule:
    unknown = set(values) - {each.name for each in fields(Rule)}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    rule = Rule(**{**values, "others": tuple(values.get("others", ()))})
    for pattern in (rule.prefix, rule.suffix, rule.path):
        re.compile(pattern)
    return rule
