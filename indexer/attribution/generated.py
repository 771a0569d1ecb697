"""Whether a text says of itself that a program wrote it."""

import re

TOP = 40  # lines in which it is said, if it is
_TOP_CHARACTERS = 4000
_SAYS = re.compile(
    r"""[ \t]*(?:\#+|//+!?|/?\*+|--|<!--|;+|%+|\"\"\")[\s\#*]*(?:  # a remark that begins with
        @(?:auto)?generated\b
        | (?:[\w-]+[ ]){0,5}auto(?:matically)?[- ]?generated\b
        | (?:(?:this|the|code|file|form|module|stub|source)\b[\w ]{0,30}[ ])?generated[ ](?:by|from|with|using|on|at)\b
        | do[ ]not[ ](?:edit|modify|change)\b
        | .*\bdo[ ]not[ ]edit\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def is_generated(text: str) -> bool:
    """Whether a remark near the top says so, in the words that generators use."""
    lines = text[:_TOP_CHARACTERS].splitlines()[:TOP]
    return any(map(_SAYS.match, lines))
