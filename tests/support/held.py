"""Files of a package that no corpus has."""

from indexer.document import Document, content_hash


def held(
    text: str, path: str = "lib/held.py", language: str = "python", package: str = "held"
) -> Document:
    return Document(
        text=text,
        path=path,
        package=package,
        version="1",
        kind="pypi",
        license="MIT",
        license_source="metadata",
        url="pkg:pypi/held@1",
        language=language,
        sha256=content_hash(text),
    )
