"""Which packages thresholds are fitted on, and which figures are reported on. They have none in common."""

import hashlib

SPLITS = ("test", "tuning", "all")


def split_of(package: str) -> str:
    """Which half a package belongs to, of the corpus or held out: a hash of its name decides."""
    return SPLITS[hashlib.sha256(package.encode()).digest()[0] & 1]


def is_in(package: str, split: str) -> bool:
    return split in (split_of(package), "all")
