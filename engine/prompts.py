"""Prompts that others have laid out for other models, taken apart: what precedes the gap, what follows it.

Programs that ask a model over HTTP often write the special tokens of the family they expect.
"""

import re

from engine.layouts import KNOWN, SENTINELS

# What a prompt may begin with besides the token before a prefix: other files, or a token for the start.
_BEGINNINGS = ("<s>", "<bos>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>")
# Families that are no layout of ours, for no model of theirs can be loaded: GLM.
_OTHERS = (("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),)
_TRIPLES = (
    *dict.fromkeys((each.prefix, each.suffix, each.middle) for each in KNOWN),
    *_OTHERS,
)
_BLOCK = "\u2581"  # CodeLlama's blank: its tokens stand with blanks around them in a text


def parted(prompt: str) -> tuple[str, str] | None:
    """The text before and behind the gap; None where the prompt is plain text.

    A prompt is laid out where it begins with a special token and has all three. Text behind the
    last of them continues the prefix, which is how the order with the suffix first is read, too.
    """
    if not prompt.lstrip().startswith((*SENTINELS, *_BEGINNINGS, "<PRE>", "[SUFFIX]", "<|code_")):
        return None
    for tokens in _TRIPLES:
        if (found := _pattern(*tokens).search(prompt)) is not None:
            before, after, rest = found.groups()
            return before + rest, after
    # Codestral: the suffix, then the prefix, and nothing marks the middle.
    if found := re.match(r"\s*(?:<s>)?\[SUFFIX\](.*?)\[PREFIX\](.*)\Z", prompt, re.DOTALL):
        return found[2], found[1]
    return None


def _pattern(prefix: str, suffix: str, middle: str) -> re.Pattern[str]:
    if prefix.startswith(_BLOCK):
        before, between, behind = (re.escape(each[1:]) for each in (prefix, suffix, middle))
        return re.compile(f"{before} ?(.*?) ?{between} ?(.*?) ?{behind} ?(.*)\\Z", re.DOTALL)
    before, between, behind = map(re.escape, (prefix, suffix, middle))
    return re.compile(f"{before}(.*?){between}(.*?){behind}(.*)\\Z", re.DOTALL)
