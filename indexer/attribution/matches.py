"""What an answer looks like: where the text matches, how well, and the corpus passage it matches."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """A passage of the corpus; lines are 1-based and inclusive."""

    package: str
    version: str
    path: str
    start_line: int
    end_line: int
    license: str  # SPDX expression
    url: str

    @property
    def release(self) -> str:
        """Package and version; one's own folders may have none."""
        return f"{self.package} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Match:
    """A passage of the text asked about; lines are 1-based and inclusive."""

    start_line: int
    end_line: int
    tier: str  # "warning" or "information"
    kind: str  # "verbatim", "renamed" or "modified"
    similarity: float  # 0 to 1
    matched_tokens: int
    source: Source
    others: tuple[Source, ...] = ()  # up to two more places that match as well
    more: int = 0  # how many further ones there are
    index: str = ""  # name of the index that it was found in, where several were asked

    @property
    def percent(self) -> str:
        """The similarity for people."""
        return percent(self.similarity)

    @property
    def rounded(self) -> float:
        """The similarity for programs."""
        return _rounded(self.similarity, 4)


def percent(similarity: float) -> str:
    """A similarity for people."""
    return f"{_rounded(similarity, 2):.0%}"


def _rounded(similarity: float, places: int) -> float:
    """To so many places, and to 1 only what is the same everywhere."""
    return min(1 - 10**-places, round(similarity, places)) if similarity < 1 else 1.0


def match_json(match: Match) -> dict[str, Any]:
    """The match as `footnote check --format json` prints it."""
    return {
        "start_line": match.start_line,
        "end_line": match.end_line,
        "tier": match.tier,
        "kind": match.kind,
        "similarity": match.rounded,
        "matched_tokens": match.matched_tokens,
        "source": asdict(match.source),
        "others": [asdict(each) for each in match.others],
    }
