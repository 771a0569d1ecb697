"""What kind of licence an SPDX expression is: permissive, copyleft, or unknown.

The ids are SPDX's own. This sorts what a check reports; what a licence asks for, its text says.
"""

import re
from collections.abc import Iterator

PERMISSIVE, COPYLEFT, UNKNOWN = "permissive", "copyleft", "unknown"
CLASSES = (PERMISSIVE, COPYLEFT, UNKNOWN)
"""From the least to the most to be looked at."""

# Permissive ones that are met in practice, among them all that the corpus may hold.
_PERMISSIVE = frozenset(
    """0bsd afl-2.1 afl-3.0 apache-1.0 apache-1.1 apache-2.0 artistic-2.0 beerware blessing blueoak-1.0.0
    bsd-1-clause bsd-2-clause bsd-2-clause-patent bsd-2-clause-views bsd-3-clause bsd-3-clause-attribution
    bsd-3-clause-clear bsd-3-clause-lbnl bsd-3-clause-modification bsd-4-clause bsd-4-clause-uc
    bsd-source-code bsl-1.0 cc-by-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc0-1.0 cnri-python curl
    ecl-2.0 efl-2.0 fsfap ftl hpnd hpnd-sell-variant icu ijg isc json libpng libpng-2.0 libtiff mit mit-0
    mit-cmu mit-feh mit-modern-variant mulanpsl-1.0 mulanpsl-2.0 naist-2003 ncsa ntp ofl-1.1 openssl
    php-3.01 postgresql psf-2.0 python-2.0 python-2.0.1 ruby sgi-b-2.0 smlnj ssh-openssh tcl unicode-3.0
    unicode-dfs-2016 unicode-tou unlicense upl-1.0 vim w3c w3c-20150513 wtfpl x11 xnet zlib
    zlib-acknowledgement zpl-2.1""".split()
)
# Files that somebody indexed themselves and that name no licence: theirs to use.
_OWN = "licenseref-own"
# Families whose every version wants derived work, or the changed files, under the same terms.
_COPYLEFT = re.compile(
    r"(?:agpl|apsl|bitorrent|bittorrent|cal|cc-by-(?:nc-)?sa|cddl|cecill|copyleft-next|cpal|cpl|ecos"
    r"|epl|erlpl|eupl|gfdl|gpl|ipl|lgpl|lgpllr|lpl|mpl|ms-rl|nposl|odbl|osl|parity|qpl|rpl|rpsl"
    r"|simpl|sissl|sleepycat|spl|sspl|sugarcrm|ypl|zimbra)(?:-.*)?",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\s*(\(|\)|[\w.:+-]+)")


def class_of(expression: str) -> str:
    """The class of an expression: of a choice the mildest, of a combination the strictest.

    An exception (WITH) leaves the class as it is; what cannot be read is unknown.
    """
    tokens = _tokens(expression)
    try:
        found, rest = _choice(tokens)
    except IndexError:
        return UNKNOWN
    return CLASSES[found] if not rest else UNKNOWN


def identifiers(expression: str) -> list[str]:
    """The licences that an expression names, without operators and exceptions."""
    tokens = _tokens(expression)
    named = (
        token
        for before, token in zip(["", *tokens], tokens, strict=False)
        if before.upper() != "WITH" and token.upper() not in {"AND", "OR", "WITH", "(", ")"}
    )
    return list(dict.fromkeys(named))


def _tokens(expression: str) -> list[str]:
    return list(_cut(expression.strip()))


def _cut(expression: str) -> Iterator[str]:
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        yield found[1] if found else expression[at:]
        at = found.end() if found else len(expression)


def _choice(tokens: list[str]) -> tuple[int, list[str]]:
    """The rank of `a OR b`, and what comes after it. Raises IndexError where something is missing."""
    rank, tokens = _combination(tokens)
    while tokens and tokens[0].upper() == "OR":
        other, tokens = _combination(tokens[1:])
        rank = min(rank, other)
    return rank, tokens


def _combination(tokens: list[str]) -> tuple[int, list[str]]:
    rank, tokens = _licence(tokens)
    while tokens and tokens[0].upper() == "AND":
        other, tokens = _licence(tokens[1:])
        rank = max(rank, other)
    return rank, tokens


def _licence(tokens: list[str]) -> tuple[int, list[str]]:
    if tokens[0] == "(":
        rank, tokens = _choice(tokens[1:])
        return (rank, tokens[1:]) if tokens[0] == ")" else (rank, ["(", *tokens])
    rank, tokens = _rank(tokens[0]), tokens[1:]
    if tokens and tokens[0].upper() == "WITH":
        return rank, tokens[2:]
    return rank, tokens


def _rank(identifier: str) -> int:
    plain = identifier.removesuffix("+").lower()
    if plain in _PERMISSIVE or plain == _OWN:
        return 0
    return 1 if _COPYLEFT.fullmatch(plain) else 2
