"""A file of the project as the search for context sees it: read once, taken apart when it is needed."""

from functools import cached_property

from engine.context.definitions import definitions
from engine.context.imports import imports
from engine.context.likeness import Passage, passages

LONGEST = 200_000  # characters; longer files are tables, bundles and logs


class Source:
    """A text that does not change, and what was found in it."""

    def __init__(self, path: str, text: str, language: str) -> None:
        """`path` is relative to the project, with forward slashes."""
        self.path, self.text, self.language = path, text, language

    @cached_property
    def definitions(self) -> dict[str, int]:
        return definitions(self.text, self.language)

    @cached_property
    def imports(self) -> list[tuple[str, tuple[str, ...]]]:
        return imports(self.text, self.path, self.language)

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        return passages(self.text)
