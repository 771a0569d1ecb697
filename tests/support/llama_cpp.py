"""llama.cpp in a process of its own, asked over its loopback port: what it reads and writes.

Its bindings can block for ever when a server is taken down beside other threads; a process can be
killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

Step = tuple[int, dict[int, float]]  # the token, and log-probabilities by token, or none


class LlamaCpp:
    """A GGUF file that llama.cpp has loaded, with keys and values in float32."""

    def __init__(self, path: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._child.stdout is not None
        lines = (line.strip() for line in self._child.stdout)
        self._address = next((line for line in lines if line.startswith("http://")), "")
        if not self._address:
            self.close()
            raise AssertionError(f"llama.cpp does not load {path}")

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def tokens(self, text: str) -> list[int]:
        body = {"content": text, "add_special": True, "parse_special": False}
        return self.ask("/tokenize", body)["tokens"]

    def greedy(self, prompt: list[int], length: int, *, likeliest: int = 20) -> list[Step]:
        """The likeliest tokens one after the other, each with what llama.cpp thought of others."""
        text, thoughts = self._continued(prompt, length, likeliest)
        if len(thoughts) < len(text):
            # It keeps silent about tokens that end within a character, without saying which.
            single = (self._continued(prompt + text[:at], 1, likeliest) for at in range(len(text)))
            thoughts = [(each or [{}])[0] for _, each in single]
        return list(zip(text, thoughts, strict=True))

    def _continued(
        self, prompt: list[int], length: int, likeliest: int
    ) -> tuple[list[int], list[dict[int, float]]]:
        body = {"prompt": prompt, "n_predict": length, "temperature": 0, "n_probs": likeliest}
        answer = self.ask("/completion", {**body, "return_tokens": True, "cache_prompt": False})
        thoughts = answer.get("completion_probabilities", [])
        return answer["tokens"], [
            {each["id"]: each["logprob"] for each in step["top_logprobs"]} for step in thoughts
        ]


def _serve(path: str) -> None:
    """Load the file, say the address, and stay until the parent goes away."""
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = path
    wanted.n_ctx = 512
    wanted.n_parallel = 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
    wanted.cache_type_k = wanted.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    wanted.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    wanted.cache_ram_mib = 0
    wanted.fit_params = wanted.warmup = False
    wanted.verbosity = -1
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
