"""Whether to complete here at all."""

import re

from engine.api import CompletionOptions, Gap
from engine.prose import in_prose

# What an editor or a person leaves behind the gap when a line is being finished: closers, an end.
_FINISHING = re.compile(r"[)>}\]\"'`]*\s*[:{;,]?")
_LEAST_TEXT = 10  # characters that are not blank; less says nothing about what is wanted
_LOOK = 4_096  # characters on either side


def closed_gate(gap: Gap, options: CompletionOptions) -> str | None:
    """Why nothing is suggested here, or None.

    Inside a word nothing ever is. What was not asked for also wants the rest of the line to be
    nothing but closers, and a document that has begun; a comment or docstring only if the options do.
    """
    follows = gap.suffix[:1]
    if follows.isalnum() or follows == "_":
        return "mid-word"
    if not options.automatic:
        return None
    rest = re.split(r"\r?\n", gap.suffix[:_LOOK], maxsplit=1)[0]
    if not _FINISHING.fullmatch(rest.strip()):
        return "rest-of-line"
    seen = gap.prefix[-_LOOK:] + gap.suffix[:_LOOK]
    if len("".join(seen.split())) < _LEAST_TEXT:
        return "little-text"
    if not options.in_comments and in_prose(gap.prefix, gap.language, whole=not gap.skipped):
        return "comment"
    return None
