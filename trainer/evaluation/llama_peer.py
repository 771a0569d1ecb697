"""llama.cpp on our prompts: its own server in a child process, with its prompt cache on.

The server is asked over its loopback port, as llama.vscode and llama.vim ask it.
"""

import http.client
import importlib.util
import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.decoding import Request
from engine.tokenizer import Vocabulary
from trainer.evaluation.latency import Sample

_CONTEXT = 2048  # tokens
_TIMEOUT_S = 120.0


def is_installed() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None


class LlamaServer:
    """A GGUF file behind llama.cpp's server; it goes when this does."""

    def __init__(self, path: Path, *, threads: int) -> None:
        """Start it; ValueError when it does not come up."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "trainer.evaluation.llama_peer", str(path), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._child.stdout is not None
        lines = (line.strip() for line in self._child.stdout)
        address = next((line for line in lines if line.startswith("http://")), "")
        if not address:
            self.close()
            raise ValueError(f"llama.cpp does not load {path.name}")
        self._place = urlsplit(address).netloc

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    @property
    def process_id(self) -> int:
        return self._child.pid

    def run(self, request: Request, tokenizer: Vocabulary) -> tuple[Sample, list[int]]:
        """Time one line. What the engine takes back to heal a word is typed text to llama.cpp."""
        prompt = [*request.prompt, *tokenizer.encode(request.owed)]
        body = {
            "prompt": prompt,
            "n_predict": request.max_new_tokens,
            "temperature": 0,
            "cache_prompt": True,
            "return_tokens": True,
            "stop": ["\n"],
        }
        started = time.perf_counter()
        answer = self._ask(body)
        took = (time.perf_counter() - started) * 1000
        tokens: list[int] = answer.get("tokens", [])
        computed = int(answer.get("timings", {}).get("prompt_n", len(prompt)))
        return Sample(took, len(prompt), len(prompt) - computed, len(tokens)), tokens

    def _ask(self, body: dict[str, Any]) -> Any:
        # A new connection each time: the server closes one that waits for the others' turns.
        with closing(http.client.HTTPConnection(self._place, timeout=_TIMEOUT_S)) as line:
            try:
                line.request(
                    "POST", "/completion", json.dumps(body), {"Content-Type": "application/json"}
                )
                return json.load(line.getresponse())
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise ValueError(f"llama.cpp does not answer: {error}") from error


def _serve(path: str, threads: int) -> None:
    """Load the file, say the address, and stay until the parent goes away."""
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = path
    wanted.n_ctx = _CONTEXT
    wanted.n_parallel = 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = threads
    wanted.fit_params = False
    wanted.verbosity = -1
    server = xllamacpp.Server(wanted)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
