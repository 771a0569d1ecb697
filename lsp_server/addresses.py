"""The addresses of corpus files in an editor: footnote-source:/package/version/path."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from lsp_server.protocol import SOURCE_SCHEME

if TYPE_CHECKING:
    from indexer import Source


def source_uri(source: Source) -> str:
    # A package of npm may have a slash in its name.
    package, version = quote(source.package, safe=""), quote(source.version, safe="")
    return f"{SOURCE_SCHEME}:/{package}/{version}/{quote(source.path)}"


def parts_of(uri: str) -> tuple[str, str, str]:
    """Package, version and path; empty where it is no such address."""
    try:
        path = urlsplit(uri).path
    except ValueError:
        return "", "", ""
    package, _, rest = path.lstrip("/").partition("/")
    version, _, path = rest.partition("/")
    return unquote(package), unquote(version), unquote(path)
