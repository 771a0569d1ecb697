"""A place in a document where text is wanted, as it was when somebody asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.convert import speakable

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

    @property
    def n_wanted(self) -> int:
        return 1 if self.automatic else CANDIDATES


def ask_at(document: Document, offset: int, *, automatic: bool, popup: str | None = None) -> Ask:
    """`popup` is the text before the cursor as the selected item of a menu would make it."""
    text = document.text
    prefix = text[:offset] if popup is None else popup
    return Ask(document, document.version, speakable(prefix), speakable(text[offset:]), automatic)
