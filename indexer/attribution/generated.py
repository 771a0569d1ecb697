"""Whether a text says of itself that a program wrote it, or is what only programs begin so."""

import re
from collections.abc import Sequence

TOP = 40  # lines in which it is said, if it is
_TOP_CHARACTERS = 4000
_SAYS = re.compile(
    r"""[ \t]*(?:\#+|//+!?|/?\*+|--|<!--|;+|%+|\"\"\")[\s\#*]*(?:  # a remark that begins with
        @(?:auto)?generated\b
        | (?:[\w-]+[ ]){0,5}auto(?:matically)?[- ]?generated\b
        | (?:(?:this|the|code|file|form|module|stub|source)\b[\w ]{0,30}[ ])?generated[ ](?:by|from|with|using|on|at)[ ]+[^\s*]
        | do[ ]not[ ](?:edit|modify|change)\b
        | .*\bdo[ ]not[ ]edit\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_HINTS = ("generated", "do not ")  # one of which all that is said so holds, in capitals or not
# Django's and Alembic's steps from one schema to the next, which lose their first line when they are tidied.
_SHOWS = ("migration", "down_revision")
_IS = re.compile(r"class Migration\(migrations\.Migration\):|down_revision\b[^=]*= ")


def is_generated(lines: Sequence[str]) -> bool:
    """Whether one of the first of these lines says or shows so, in the words that generators use."""
    top = lines[:TOP]
    whole = "\n".join(top).lower()
    says = any(hint in whole for hint in _HINTS) and any(map(_SAYS.match, top))
    return says or any(map(_IS.match, top))


def says_it_is_generated(text: str) -> bool:
    """Likewise of a text."""
    top = text[:_TOP_CHARACTERS]
    whole = top.lower()
    return any(hint in whole for hint in (*_HINTS, *_SHOWS)) and is_generated(top.splitlines())
