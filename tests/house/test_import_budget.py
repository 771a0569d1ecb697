"""What an import may cost: the heavy libraries come in when they are needed, never before."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODEL = {"torch", "transformers", "accelerate", "tokenizers", "safetensors"}
INDEX = {"tantivy", "pyarrow", "datasketch", "rapidfuzz"}
PROTOCOL = {"pygls", "lsprotocol"}

BUDGETS = [
    ("engine", MODEL | INDEX | PROTOCOL),
    ("engine.api", MODEL | INDEX | PROTOCOL | {"numpy"}),
    ("engine.fim", MODEL | INDEX | PROTOCOL | {"numpy"}),
    ("indexer", MODEL | INDEX | PROTOCOL),
    ("lsp_server", MODEL | INDEX | PROTOCOL),
    ("lsp_server.server", MODEL | INDEX | {"numpy"}),
    # `footnote --help` answers at once, so the dispatcher loads none of its commands.
    ("lsp_server.footnote", MODEL | INDEX | PROTOCOL | {"numpy", "rich"}),
    ("trainer", MODEL | INDEX | PROTOCOL),
]


@pytest.mark.parametrize(("module", "kept_out"), BUDGETS, ids=[name for name, _ in BUDGETS])
def test_import_leaves_heavy_libraries_alone(module: str, kept_out: set[str]) -> None:
    listing = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys, {module}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listing.returncode == 0, listing.stderr
    loaded = {name.partition(".")[0] for name in listing.stdout.split()}

    assert module.partition(".")[0] in loaded
    assert loaded & kept_out == set()
