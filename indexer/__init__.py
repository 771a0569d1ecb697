"""Curates the corpus and answers where a text was seen. Knows no torch, no LSP."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.attribution.federation import FederatedIndex as FederatedIndex
    from indexer.attribution.federation import open_indexes as open_indexes
    from indexer.attribution.index import AttributionIndex as AttributionIndex
    from indexer.attribution.index import Lookup as Lookup
    from indexer.attribution.matches import Match as Match
    from indexer.attribution.matches import Source as Source
    from indexer.attribution.matches import match_json as match_json
    from indexer.attribution.schema import IndexInfo as IndexInfo
    from indexer.attribution.schema import IndexUnavailable as IndexUnavailable

# Names are loaded when first used: `import indexer` must not cost numpy and tantivy.
_HOMES = {
    "AttributionIndex": "index",
    "FederatedIndex": "federation",
    "IndexInfo": "schema",
    "IndexUnavailable": "schema",
    "Lookup": "index",
    "Match": "matches",
    "Source": "matches",
    "match_json": "matches",
    "open_indexes": "federation",
}
__all__ = [
    "AttributionIndex",
    "FederatedIndex",
    "IndexInfo",
    "IndexUnavailable",
    "Lookup",
    "Match",
    "Source",
    "match_json",
    "open_indexes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"indexer.attribution.{_HOMES[name]}"), name)
