"""A place in a document where text is wanted, as it was when somebody asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.convert import speakable
from lsp_server.documents import cells_around

if TYPE_CHECKING:
    from lsp_server.documents import Document

LARGEST_DOCUMENT = 1 << 20  # characters; larger ones are left alone
CANDIDATES = 3  # for somebody who asks: the best, and two others


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, taken from the document before the first await."""

    document: Document
    version: int
    prefix: str
    suffix: str
    automatic: bool
    n_above: int = 0  # characters of the prefix that stand in cells above

    @property
    def own_prefix(self) -> str:
        """What of the prefix stands in the document itself."""
        return self.prefix[self.n_above :]

    @property
    def n_wanted(self) -> int:
        return 1 if self.automatic else CANDIDATES


def ask_at(document: Document, offset: int, *, automatic: bool, popup: str | None = None) -> Ask:
    """`popup` is the text before the cursor as the selected item of a menu would make it."""
    text = document.text
    above, below = map(speakable, cells_around(document))
    before, after = text[:offset] if popup is None else popup, text[offset:]
    if document.may_have_halves or popup is not None:
        before, after = speakable(before), speakable(after)
    prefix, suffix = above + before, after + below
    return Ask(document, document.version, prefix, suffix, automatic, len(above))
