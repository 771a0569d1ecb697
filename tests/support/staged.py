"""A real server process whose model follows a script: delays, failures, and a record of its calls.

Run as `python -I tests/support/staged.py STAGE [--tcp 0]`, where STAGE is a folder. `script.json` in it is
read at every call, so that a test can change it while the server runs:

    {"load_ms": 0, "load_error": "", "rules": [{"when": "end of the text before the cursor",
      "text": "{before}|{after}", "delay_ms": 0, "held": false, "error": "", "replace_after": 0,
      "others": []}]}

The first rule whose `when` fits counts; `held` waits until there is a file `go` beside the script. In the text, {before} and {after} are the line around the
cursor, {prefix} and {suffix} all of it, {calls} the number of this call; `others` are texts too,
given where several candidates are wanted; where `text` goes a banned way `instead` is said. `calls.jsonl` records
each call: what was asked, and how it ended. With {"model": FOLDER} in the script at the start a
real model answers, and the record is the same. A call for no tokens is recorded and says nothing.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
if TYPE_CHECKING:
    from lsp_server.settings import Settings

sys.path.insert(0, str(ROOT))

from engine.api import (  # noqa: E402
    Alternative,
    CancelToken,
    Completion,
    CompletionOptions,
    Gap,
    ModelInfo,
    ModelUnavailable,
)
from engine.loading import load  # noqa: E402

NAME = "staged"


class StagedCompleter:
    """Does what script.json says."""

    def __init__(self, stage: Path) -> None:
        self._stage = stage
        self._calls = 0
        folder = self.script().get("model")
        self._real = load(folder, threads=1) if folder else None

    def complete(self, gap: Gap, options: CompletionOptions, cancel: CancelToken) -> Completion:
        rules = self.script()["rules"]  # whoever reads that it began may write others
        self.record_line({"began": gap.prefix.rpartition("\n")[2]})
        if self._real is not None:
            found = self._real.complete(gap, options, cancel)
            ended = "cancelled" if found.stop_reason == "cancelled" else "done"
            self._record(gap, options, ended)
            return found
        self._calls += options.max_new_tokens != 0
        rule = next(
            (rule for rule in rules if gap.prefix.endswith(rule.get("when", ""))),
            {"text": ""},
        )
        self._take_time(rule, cancel)
        ended = "cancelled" if cancel.cancelled else "done"
        self._record(gap, options, ended)
        if options.max_new_tokens == 0:
            return Completion("", "length")
        if rule.get("error"):
            raise RuntimeError(rule["error"])
        if ended == "cancelled":
            return Completion("", "cancelled")
        if any(ban.forbids(rule["text"]) for ban in options.banned):
            return Completion(rule.get("instead", ""), "end")
        text = (
            rule["text"]
            .replace("{before}", gap.prefix.rpartition("\n")[2])
            .replace("{after}", gap.suffix.partition("\n")[0])
            .replace("{prefix}", gap.prefix)
            .replace("{suffix}", gap.suffix)
            .replace("{path}", gap.path)
            .replace("{calls}", str(self._calls))
        )
        others = rule.get("others", [])
        return Completion(
            text,
            "end",
            replace_after=rule.get("replace_after", 0),
            alternatives=tuple(map(Alternative, others[: options.n_candidates - 1])),
        )

    def _take_time(self, rule: dict[str, Any], cancel: CancelToken) -> None:
        deadline = time.monotonic() + rule.get("delay_ms", 0) / 1000
        is_held = rule.get("held", False)
        while not cancel.cancelled and (
            time.monotonic() < deadline or (is_held and not (self._stage / "go").exists())
        ):
            time.sleep(0.002)

    def describe(self) -> ModelInfo:
        return ModelInfo(NAME, "cpu", "none", 1, corpus_hash=self.script().get("corpus_hash", ""))

    def close(self) -> None:
        self.record_line({"closed": True})

    def script(self) -> dict[str, Any]:
        return json.loads((self._stage / "script.json").read_text())

    def _record(self, gap: Gap, options: CompletionOptions, ended: str) -> None:
        self.record_line(
            {
                "before": gap.prefix.rpartition("\n")[2],
                "path": gap.path,
                "context": [[each.path, each.text] for each in gap.context],
                "automatic": options.automatic,
                "banned": [[ban.after, ban.text] for ban in options.banned],
                "candidates": options.n_candidates,
                "max_new_tokens": options.max_new_tokens,
                "ended": ended,
            }
        )

    def record_line(self, values: dict[str, Any]) -> None:
        with (self._stage / "calls.jsonl").open("a") as record:
            record.write(json.dumps(values) + "\n")


def main() -> int:
    import logging

    from lsp_server import transport
    from lsp_server.features.loading import open_index
    from lsp_server.server import Parts, build_server

    stage = Path(sys.argv[1])

    def staged(settings: Settings) -> StagedCompleter:
        completer = StagedCompleter(stage)
        completer.record_line({"backend": settings.backend, "device": settings.device})
        script = completer.script()
        time.sleep(script.get("load_ms", 0) / 1000)
        if script.get("load_error"):
            raise ModelUnavailable(script["load_error"])
        return completer

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    protocol = build_server(Parts(staged, open_index)).protocol
    if "--tcp" in sys.argv:

        def listening(port: int) -> None:
            print(f"listening on {transport.LOOPBACK}:{port}", file=sys.stderr, flush=True)

        return transport.serve_tcp(protocol, 0, listening)
    return transport.serve_stdio(protocol)


if __name__ == "__main__":
    sys.exit(main())
