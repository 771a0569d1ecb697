"""A source file and where it came from."""

import hashlib
from dataclasses import dataclass


def content_hash(text: str) -> str:
    """SHA-256 of the text as UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """One file of one package. There is no document without provenance."""

    text: str
    path: str  # inside the package, with forward slashes
    package: str
    version: str
    kind: str  # pypi, npm, debian, git, folder or parquet
    license: str  # SPDX expression
    license_source: str  # how it was found: "manifest", "metadata", "header"
    url: str  # home of the project, or its package URL (pkg:pypi/name@version)
    language: str  # language id as editors name it: python, javascript, typescript, toml, ...
    sha256: str  # content_hash(text)

    @property
    def size(self) -> int:
        """Bytes as UTF-8."""
        return len(self.text.encode("utf-8", "surrogatepass"))
