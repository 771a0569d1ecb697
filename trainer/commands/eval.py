"""`footnote eval`: quality on files that no model of ours has seen."""

from trainer.commands.measurement import choose

_WHAT = {
    "infill": ("trainer.commands.eval_infill", "exact match and similarity of text put into gaps"),
    "context": ("trainer.commands.eval_context", "what excerpts of other files gain"),
    "loss": ("trainer.commands.eval_loss", "bits per byte, by language and position in the file"),
    "memorization": ("trainer.commands.eval_memorization", "completions that copy the corpus"),
    "functional": ("trainer.commands.eval_functional", "pass@k of programs, by running them"),
    "policy": (
        "trainer.commands.eval_policy",
        "how a model is best served: what to show, how long",
    ),
    "retention": ("trainer.commands.eval_retention", "two checkpoints before and after, compared"),
    "report": (
        "trainer.commands.eval_report",
        "results as one Markdown page, with their protocols",
    ),
    "attribution": (
        "trainer.commands.eval_attribution",
        "planted copies found, false warnings, beside peers",
    ),
}


def main(argv: list[str]) -> int:
    return choose("footnote eval", "Measure quality on the held-out packages.", _WHAT, argv)
