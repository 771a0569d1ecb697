"""Documents as a corpus has them, of which a test says what matters to it."""

from __future__ import annotations

from dataclasses import replace

from indexer.document import Document, content_hash


def document(
    text: str,
    path: str = "pack/module.py",
    language: str = "python",
    package: str = "pack",
    **more: str,
) -> Document:
    """`more` are other fields."""
    plain = Document(
        text=text,
        path=path,
        package=package,
        version="1.0",
        kind="pypi",
        license="MIT",
        license_source="manifest",
        url=f"https://example.org/{package}",
        language=language,
        sha256=content_hash(text),
    )
    return replace(plain, **more)


def held(
    text: str, path: str = "lib/held.py", language: str = "python", package: str = "held"
) -> Document:
    """A file of a package that no corpus has."""
    return document(text, path, language, package)
