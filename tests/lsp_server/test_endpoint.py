"""The endpoint as llama.vim, llama.vscode, minuet and Zed use it: what they send, what they read."""

from __future__ import annotations

import asyncio
import json

import pytest

from engine.api import Completion, Gap
from lsp_server.endpoint import inserted
from tests.support.endpoint import GAP, LLAMA_VIM, Served, answer_of, serving, until


async def test_llama_vim_reads_the_fields_that_it_asked_for(served: Served) -> None:
    status, told = await served.post("/infill", LLAMA_VIM)

    footnote = told.pop("footnote")
    assert status == 200
    assert told == {
        "content": "x + 1",
        "timings/prompt_n": 5,
        "timings/predicted_ms": 20.0,
        "tokens_cached": 2,
    }
    ((gap, options),) = served.model.asked
    assert gap == GAP
    assert (options.max_new_tokens, options.time_limit_ms, options.automatic) == (128, 750.0, True)
    assert footnote["ignored"] == [
        "cache_prompt",
        "input_extra",
        "n_indent",
        "samplers",
        "top_k",
        "top_p",
    ]


async def test_llama_vscode_reads_timings_and_has_a_text_read_ahead(served: Served) -> None:
    asked = {name: LLAMA_VIM[name] for name in LLAMA_VIM if name != "response_fields"}
    _, told = await served.post("/infill", asked)

    assert told["content"] == "x + 1"
    assert told["timings"]["predicted_n"] == 4
    assert told["timings"]["predicted_per_second"] == 200.0
    assert (told["stop"], told["stop_type"], told["truncated"]) == (True, "eos", False)

    status, _ = await served.post("/infill", {**asked, "n_predict": 0})
    assert status == 200
    assert served.model.asked[-1][1].max_new_tokens == 0


@pytest.mark.parametrize("n_predict", [0, 1])  # llama.vim's, llama.vscode's
async def test_other_files_sent_ahead_displace_nothing(served: Served, n_predict: int) -> None:
    served.model.slow = True
    running = asyncio.create_task(served.post("/infill", LLAMA_VIM))
    await until(lambda: served.model.asked)
    only = {"input_prefix": "", "prompt": "", "input_suffix": "", "n_predict": n_predict}
    status, told = await served.post("/infill", {**LLAMA_VIM, **only, "response_fields": [""]})
    served.model.slow = False

    assert (status, told["footnote"]["stop_reason"]) == (200, "gated:empty")
    assert (await running)[1]["content"] == "x + 1"
    assert len(served.model.asked) == 1


async def test_a_match_is_told_with_the_text(served: Served) -> None:
    _, told = await served.post("/infill", LLAMA_VIM)

    (match,) = told["footnote"]["matches"]
    assert match["source"]["package"] == "pkg"
    assert "pkg 1.0" in match["headline"]
    assert told["footnote"]["checked"] is True


@pytest.mark.parametrize(("mode", "text"), [("hide", ""), ("regenerate", "other")])
async def test_the_mode_of_attribution_holds_here_too(mode: str, text: str) -> None:
    async with serving(mode) as served:
        _, told = await served.post("/infill", LLAMA_VIM)

    assert told["content"] == text
    assert told["footnote"]["matches"] == []


async def test_minuet_reads_a_stream_of_events(served: Served) -> None:
    asked = {
        "model": "any",
        "stream": True,
        "prompt": "y = ",
        "suffix": "\nprint(1)\n",
        "max_tokens": 56,
        "top_p": 0.9,
    }
    status, headers, told = await served.said("/v1/completions", json.dumps(asked).encode())

    *events, end = [line.removeprefix("data: ") for line in told.split("\n\n") if line]
    choices = [json.loads(event)["choices"][0] for event in events]
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert [(choice["text"], choice["finish_reason"]) for choice in choices] == [
        ("x + 1", None),
        ("", "stop"),
    ]
    assert end == "[DONE]"
    assert served.model.asked[0][0] == Gap("y = ", "\nprint(1)\n")


async def test_zed_may_lay_its_prompt_out_for_another_model(served: Served) -> None:
    asked = {
        "model": "qwen2.5-coder",
        "prompt": "<|fim_prefix|>y = <|fim_suffix|>\nprint(1)\n<|fim_middle|>",
        "max_tokens": 64,
        "stop": ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"],
    }
    status, told = await served.post("/v1/completions", asked)

    assert status == 200
    assert told["id"]
    assert told["choices"][0]["text"] == "x + 1"
    assert told["model"] == "model-of-ours"
    assert served.model.asked[0][0] == Gap("y = ", "\nprint(1)\n")


async def test_a_stop_word_ends_the_text(served: Served) -> None:
    _, told = await served.post("/v1/completions", {"prompt": "y = ", "stop": " +"})

    assert told["choices"][0]["text"] == "x"
    assert told["choices"][0]["finish_reason"] == "stop"


async def test_infill_streams_too(served: Served) -> None:
    body = json.dumps({**LLAMA_VIM, "stream": True}).encode()
    _, _, told = await served.said("/infill", body)

    first, last = [json.loads(line.removeprefix("data: ")) for line in told.split("\n\n") if line]
    assert first == {"content": "x + 1", "stop": False}
    assert (last["content"], last["stop"]) == ("", True)


async def test_the_state_and_the_model_are_told(served: Served) -> None:
    await served.post("/infill", LLAMA_VIM)  # it is loaded then

    assert await served.get("/health") == (200, {"status": "ok"})
    assert (await served.get("/v1/models"))[1]["data"][0]["id"] == "model-of-ours"
    assert (await served.get("/props"))[1]["default_generation_settings"]["n_ctx"] == 512


async def test_hanging_up_stops_the_model(served: Served) -> None:
    served.model.slow = True
    reader, writer = await served.opened()
    writer.write(served.request("/infill", json.dumps(LLAMA_VIM).encode()))
    await until(lambda: served.model.asked)
    writer.close()
    await until(lambda: served.model.cancelled)
    served.model.slow = False

    assert await reader.read() == b""
    assert (await served.post("/infill", LLAMA_VIM))[1]["content"] == "x + 1"


async def test_the_newest_gap_wins_and_equal_ones_share_an_answer(served: Served) -> None:
    served.model.slow = True
    first = asyncio.create_task(served.post("/infill", LLAMA_VIM))
    await until(lambda: served.model.asked)
    typed = {**LLAMA_VIM, "prompt": "y = x"}
    newer = [asyncio.create_task(served.post("/infill", typed)) for _ in range(3)]

    status, told = await first
    assert (status, told["content"]) == (200, "")
    assert told["footnote"]["stop_reason"] == "superseded"

    await until(lambda: served.waiting == 3)
    served.model.slow = False
    answers = await asyncio.gather(*newer)
    assert [told["content"] for _, told in answers] == ["x + 1"] * 3
    assert len([gap for gap, _ in served.model.asked if gap.prefix.endswith("y = x")]) == 1


async def test_several_requests_go_over_one_connection(served: Served) -> None:
    reader, writer = await served.opened()
    for _ in range(2):
        writer.write(served.request("/infill", json.dumps(LLAMA_VIM).encode()))
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (200, "keep-alive")
    writer.close()


async def test_a_model_that_fails_is_an_error_without_anybodys_text(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.model.error = RuntimeError("import math")
    status, told = await served.post("/infill", LLAMA_VIM)

    assert status == 500
    assert "import math" not in json.dumps(told) + caplog.text


async def test_suggestions_that_are_switched_off_are_not_given_here() -> None:
    async with serving(enabled=False) as served:
        _, told = await served.post("/infill", LLAMA_VIM)

    assert told["footnote"]["stop_reason"] == "gated:off"


@pytest.mark.parametrize(
    ("known", "why"),
    [({"path": "app/.env"}, "gated:excluded"), ({"language": "markdown"}, "gated:language-off")],
)
async def test_where_a_request_says_where_it_is_the_settings_hold(
    served: Served, known: dict[str, str], why: str
) -> None:
    _, told = await served.post("/infill", {**LLAMA_VIM, "footnote": known})

    assert told["footnote"]["stop_reason"] == why
    assert served.model.asked == []


@pytest.mark.parametrize(
    ("text", "replaced", "left"),
    [("a, b)", ")", "a, b"), ("a)]", ")]", "a"), ("a):", ")", "a"), ("a", "", "a")],
)
def test_what_stands_behind_the_gap_is_not_said_again(text: str, replaced: str, left: str) -> None:
    assert inserted(Completion(text, "end", len(replaced)), replaced + "\n") == left
