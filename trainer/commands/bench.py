"""`footnote bench`: speed, beside what others take for the same work."""

from trainer.commands.measurement import choose

_WHAT = {
    "completion": (
        "trainer.commands.bench_completion",
        "a completion after a keystroke, beside llama.cpp and Hugging Face generate",
    ),
    "backends": (
        "trainer.commands.bench_backends",
        "a step and a prompt in every backend that is installed here",
    ),
    "replay": (
        "trainer.commands.bench_replay",
        "half an hour of typing: does memory stay flat?",
    ),
    "attribution": (
        "trainer.commands.bench_attribution",
        "look-ups warm and cold, the index and its making, beside infini-gram",
    ),
    "training": (
        "trainer.commands.bench_training",
        "steps of a training run, beside Hugging Face's Trainer",
    ),
}


def main(argv: list[str]) -> int:
    return choose("footnote bench", "Measure speed on this machine.", _WHAT, argv)
