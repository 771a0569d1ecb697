"""Layouts of other publishers' models, found by the special tokens of their vocabulary.

A name is never believed: the tokens decide. Only the order with the prefix first is listed, for it
is the one that all models of a family were trained on.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.fim import FimLayout

Sentinels = tuple[str, str, str, str]  # prefix, suffix, middle, and what ends a middle

_PSM = ("<prefix>", "P", "<suffix>", "S", "<middle>")


def _alone(prefix: str, suffix: str, middle: str, end: str) -> FimLayout:
    """A family that is shown one file at a time and told no names."""
    return FimLayout(prefix, suffix, middle, end, "", "", "", _PSM, ())


# More particular vocabularies first: those whose middles end in a token of their own come before
# the spelling that they share with others.
KNOWN = (
    # CodeGemma: Qwen's spelling, but a middle ends where the next file would begin.
    _alone("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
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
    _alone(
        "<\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>",
        "<\uff5cfim\u2581end\uff5c>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    ),
    # CodeLlama, whose sentinels begin with the block that stands for a blank.
    _alone("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>"),
    # StarCoder, StarCoder2 and Granite Code; then Granite 3 in both spellings; then SantaCoder.
    _alone("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>"),
    _alone("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|end_of_text|>"),
    _alone("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|end_of_text|>"),
    _alone("<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<|endoftext|>"),
)

# None of these is text, whether or not a publisher's tokenizer.json marks it as special: Qwen's
# does not, and a document that spells one must not become one.
SENTINELS = frozenset(
    token
    for layout in KNOWN
    for token in (
        layout.prefix,
        layout.suffix,
        layout.middle,
        layout.end,
        layout.repo_name,
        layout.file_sep,
    )
    if token
) | frozenset(
    "<fim_pad> <|fim_pad|> <fim-pad> <filename> <reponame> <repo_name> <file_sep> <|cursor|>".split()
)


def layout_of(
    token_to_id: Callable[[str], int | None], named: Sentinels | None = None
) -> FimLayout | None:
    """The first layout whose tokens the vocabulary has, or None: no such model.

    `named` are the sentinels that a file names itself: no others are then taken, and where none of
    the layouts has them they make one.
    """
    for layout in KNOWN:
        tokens = (layout.prefix, layout.suffix, layout.middle, layout.end)
        if named and named[:3] != tokens[:3]:
            continue
        if all(token_to_id(token) is not None for token in tokens):
            both = (layout.repo_name, layout.file_sep)
            if all(token_to_id(token) is not None for token in both if token):
                return layout
            return replace(layout, repo_name="", file_sep="")
    return _alone(*named) if named else None
