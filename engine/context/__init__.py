"""What of other files of the project tells most about a gap, found within some milliseconds.

Texts in, excerpts out: which files may be looked into, and where they are, the caller says.
"""

from engine.context.choosing import excerpts
from engine.context.imports import kin
from engine.context.source import LONGEST, Source

__all__ = ["LONGEST", "Source", "excerpts", "kin"]
