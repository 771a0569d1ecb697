"""Whether a text is Python, and its tree."""

import ast
import warnings


def parsed(text: str) -> ast.Module | None:
    """The tree of a Python text, or None when it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parses(text: str) -> bool:
    """Is it Python?"""
    return parsed(text) is not None
