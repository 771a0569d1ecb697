"""Every number of the curation in one place; part of the recipe hash."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

CURATION_VERSION = 1
"""Raise it when a step changes what it keeps, so that nothing stale is reused."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Thresholds of all steps. Those of StarCoder (arXiv 2305.06161, section 3) unless noted."""

    min_bytes: int = 50  # ours
    max_bytes: int = 200_000  # ours
    max_line: int = 1000
    mean_line: float = 100.0
    alphanumeric: float = 0.25
    data_chars: tuple[int, int] = (50, 5000)  # JSON and YAML
    data_alphabetic: float = 0.5  # JSON and YAML
    literal_share: float = 0.5  # ours: literals in a code file
    blob_chars: int = 256  # ours: an unbroken run of this many base64 characters is a blob
    blob_share: float = 0.2  # ours
    header_chars: int = 3000  # ours: where a licence or "generated" note is looked for
    permutations: int = 256
    bands: int = 25
    rows: int = 10
    shingle: int = 5  # tokens
    jaccard: float = 0.7
    benchmark_gram: int = 10  # ours: tokens in one fingerprint
    benchmark_share: float = 0.6  # ours: of one exercise's fingerprints
    caps: dict[str, float] = field(
        default_factory=lambda: {  # ours: at most this share of the corpus, in bytes
            "json": 0.008,
            "markdown": 0.020,
            "restructuredtext": 0.020,
            "shellscript": 0.005,
            "toml": 0.005,
            "yaml": 0.012,
            "declarations": 0.030,
        }
    )

    def digest(self) -> str:
        """SHA-256 of the parameters and the version of the code that reads them."""
        text = json.dumps([CURATION_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
