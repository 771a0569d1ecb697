"""What others published for their models, each figure with its protocol and where it was read.

A row may stand beside one of ours only where the protocol is the same: `beside` compares it word
for word. What was not read in the source itself says so in `source`.
"""

from dataclasses import dataclass

# The BigCode models leaderboard: bigcode-evaluation-harness, prompts stripped, 512 tokens in all.
SAMPLED = "pass@1, temperature 0.2, top-p 0.95, 50 samples"
_LEADERBOARD = "BigCode models leaderboard, its csv"

HUMANEVAL = "HumanEval"
MULTIPL_E = "MultiPL-E HumanEval"


@dataclass(frozen=True, slots=True)
class PublishedRow:
    model: str
    benchmark: str
    language: str
    metric: str
    value: float  # a share between 0 and 1
    protocol: str
    source: str


def beside(benchmark: str, language: str, metric: str, protocol: str) -> list[PublishedRow]:
    """The rows that may be compared with a figure of this protocol; none where it differs."""
    key = (benchmark, language, metric, protocol)
    return [row for row in ROWS if (row.benchmark, row.language, row.metric, row.protocol) == key]


def of_benchmark(benchmark: str, language: str) -> list[PublishedRow]:
    """Every row of a benchmark in a language, whatever its protocol."""
    return [row for row in ROWS if (row.benchmark, row.language) == (benchmark, language)]


def _leaderboard() -> tuple[PublishedRow, ...]:
    languages = ("python", "java", "javascript", "cpp", "rust")
    percent = {
        "StarCoder 15.5B": (33.57, 30.22, 30.79, 31.55, 21.84),
        "StarCoderBase 15.5B": (30.35, 28.53, 31.7, 30.56, 24.46),
        "StarCoderBase 7B": (28.37, 24.44, 27.35, 23.3, 22.6),
        "StarCoderBase 3B": (21.5, 19.25, 21.32, 19.43, 16.32),
        "StarCoderBase 1.1B": (15.17, 14.2, 13.38, 11.68, 10.24),
    }
    rows = [
        PublishedRow(
            model=model,
            benchmark=HUMANEVAL if language == "python" else MULTIPL_E,
            language=language,
            metric="pass@1",
            value=round(value / 100, 4),
            protocol=SAMPLED,
            source=_LEADERBOARD,
        )
        for model, values in percent.items()
        for language, value in zip(languages, values, strict=True)
    ]
    tiny = PublishedRow(
        model="TinyStarCoderPy 164M",
        benchmark=HUMANEVAL,
        language="python",
        metric="pass@1",
        value=0.0784,
        protocol=SAMPLED,
        source="BigCode's figure for the model; that its protocol is the leaderboard's is assumed",
    )
    return (*rows, tiny)


ROWS: tuple[PublishedRow, ...] = _leaderboard()
