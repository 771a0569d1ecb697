"""Why there was a suggestion or none, in words; the short names are for programs."""

from __future__ import annotations

_WORDS = {
    "cache": "made before: it was typed along, or computed ahead",
    "model": "made by the model",
    "superseded": "a newer request or another edit came before it was ready",
    "cancelled": "the editor wanted it no more",
    "end": "the model ended at once: it would write nothing here",
    "line": "the model began with the end of the line",
    "scope": "what the model wrote belongs to another block",
    "length": "nothing whole came of as much text as may be written",
    "time": "no whole line was ready within footnote.completion.timeLimitMs",
    "repetition": "the model began to repeat itself",
    "gated:off": "suggestions are switched off (footnote.enabled)",
    "gated:language-off": "suggestions are off in this language (footnote.languages)",
    "gated:large-file": "the file is larger than 1 MiB",
    "gated:excluded": "the file fits one of the patterns of footnote.exclude",
    "gated:footnoteignore": "a .footnoteignore file names this file",
    "gated:deletion": "text was just deleted; type something, or ask by a key",
    "gated:popup": "the selected item of the menu would change what was typed",
    "gated:mid-word": "the cursor is inside a word",
    "gated:rest-of-line": "more than closers follows on the line; ask by a key",
    "gated:little-text": "the file has hardly begun; ask by a key",
    "gated:comment": "it is a comment, and footnote.completion.inComments is off; ask by a key",
    "gated:empty": "there is no text to go on from",
    "gated:loading": "the model is still loading",
    "gated:restarting": "the model's process ended and is started again",
    "gated:closed": "the model was closed",
    "model-loading": "the model is still loading",
    "model-asleep": "the model was unloaded and is loaded again",
    "model-unavailable": "there is no model: `footnote doctor` says why",
    "model-closed": "the server is about to end",
    "model-failed": "the model failed; the log names the place",
    "dropped:unsure": "the model was too unsure of it (footnote.completion.minConfidencePercent)",
    "dropped:unfinished": "no whole line was ready",
    "dropped:repetition": "it repeated itself",
    "dropped:next-line": "it said what stands on the next line",
    "dropped:line-above": "it said the line above again",
    "dropped:short": "it was too short to be worth a look; ask by a key",
    "dropped:empty": "it had no text",
    "dropped:secret": "it looked like a key or a password",
    "dropped:banned": "it would have gone the way that is not to be taken",
    "dropped:near-verbatim": "it is near-verbatim text of the corpus (footnote.attribution.mode)",
    "dropped:unchecked": "it could not be checked against the corpus in time",
}


def in_words(reason: str) -> str:
    """A sentence, or the name itself where nobody has found words."""
    return _WORDS.get(reason, reason)
