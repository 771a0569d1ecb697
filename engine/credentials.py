"""Whether a text looks as if it held a key or a password."""

import math
import re
from collections import Counter

_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # Amazon
    r"|\bgh[pousr]_[0-9A-Za-z]{30,}"  # GitHub
    r"|\bglpat-[0-9A-Za-z_-]{20,}"  # GitLab
    r"|\bxox[abprs]-[0-9A-Za-z-]{10,}"  # Slack
    r"|\bAIza[0-9A-Za-z_-]{30,}"  # Google
    r"|\bsk[-_](?:live|test|proj|ant)?[-_]?[0-9A-Za-z]{20,}"  # Stripe and others
    r"|\bpypi-[0-9A-Za-z_-]{30,}"
    r"|\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}"  # JSON web tokens
    r"|://[^/\s:@\"']+:[^/\s:@\"'{}$<>]{6,}@"  # a password in an address
)
_NAMED = re.compile(
    r"(?i)(?:api_?key|secret|token|passw(?:or)?d|pwd|credential|private_?key|access_?key)\w*"
    r"[\"']?\s*(?:=|:|=>)\s*[\"']([^\"'\s]{12,})[\"']"
)
_LOOSE = re.compile(r"[\"']([0-9A-Za-z+/_-]{32,}={0,2})[\"']")
_NAMED_BITS, _LOOSE_BITS = 3.2, 4.3  # per character; words stay below, random text above


def looks_secret(text: str, line_before: str = "") -> bool:
    """Whether a known kind of key is in the text, or random characters where a key would stand.

    `line_before` is what stands before the text on its line: the name may be there.
    """
    if _KNOWN.search(text):
        return True
    line = line_before + text
    named = (match for match in _NAMED.finditer(line) if match.end() > len(line_before))
    if any(_bits(match.group(1)) >= _NAMED_BITS and _mixed(match.group(1)) for match in named):
        return True
    return any(
        _bits(match.group(1)) >= _LOOSE_BITS and _mixed(match.group(1))
        for match in _LOOSE.finditer(text)
    )


def _mixed(text: str) -> bool:
    """Digits among letters: names and paths rarely have many."""
    return sum(character.isdigit() for character in text) >= 3


def _bits(text: str) -> float:
    """Shannon entropy per character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
