"""Fills gaps in source text with a local model. Knows no editor, no corpus, no network."""

from engine.api import (
    Alternative,
    Ban,
    CancelToken,
    Completer,
    Completion,
    CompletionOptions,
    Excerpt,
    Gap,
    ModelInfo,
    ModelUnavailable,
)
from engine.loading import load, load_in_worker

__all__ = [
    "Alternative",
    "Ban",
    "CancelToken",
    "Completer",
    "Completion",
    "CompletionOptions",
    "Excerpt",
    "Gap",
    "ModelInfo",
    "ModelUnavailable",
    "load",
    "load_in_worker",
]
