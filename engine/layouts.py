"""Layouts of other publishers' models, found by the special tokens of their vocabulary.

A name is never believed: the tokens decide. Only the order with the prefix first is listed, for it
is the one that all models of a family were trained on.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.fim import FimLayout

_PSM = ("<prefix>", "P", "<suffix>", "S", "<middle>")

# More particular vocabularies first: Qwen's has several end tokens, StarCoder's spelling is the
# one that others adopted (Granite).
KNOWN = (
    FimLayout(
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>",
        end="<|endoftext|>",
        file_name="",
        repo_name="<|repo_name|>",
        file_sep="<|file_sep|>",
        psm=_PSM,
        spm=(),
    ),
    # DeepSeek-Coder, whose bars are wide and whose blanks are blocks: begin P hole S end.
    FimLayout(
        prefix="<\uff5cfim\u2581begin\uff5c>",
        suffix="<\uff5cfim\u2581hole\uff5c>",
        middle="<\uff5cfim\u2581end\uff5c>",
        end="<\uff5cend\u2581of\u2581sentence\uff5c>",
        file_name="",
        repo_name="",
        file_sep="",
        psm=_PSM,
        spm=(),
    ),
    FimLayout(file_name="", repo_name="", file_sep="", psm=_PSM, spm=()),
)


def layout_of(token_to_id: Callable[[str], int | None]) -> FimLayout | None:
    """The first layout whose tokens the vocabulary has, or None: no such model."""
    for layout in KNOWN:
        tokens = (layout.prefix, layout.suffix, layout.middle, layout.end)
        if all(token_to_id(token) is not None for token in tokens):
            both = (layout.repo_name, layout.file_sep)
            if all(token_to_id(token) is not None for token in both if token):
                return layout
            return replace(layout, repo_name="", file_sep="")
    return None
