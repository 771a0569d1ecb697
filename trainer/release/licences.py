"""The two licences a model can be released under, and what each asks of whom."""

from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from trainer.release.source import ReleaseError

RAIL_URL = "https://huggingface.co/spaces/bigcode/bigcode-model-license-agreement"


@dataclass(frozen=True, slots=True)
class Licence:
    key: str  # as on the command line
    title: str
    hub: str  # its identifier on the Hugging Face Hub
    url: str
    duties: tuple[str, ...]  # of whoever uses, changes or passes the model on
    rights: str


APACHE = Licence(
    key="apache-2.0",
    title="Apache License 2.0",
    hub="apache-2.0",
    url="https://www.apache.org/licenses/LICENSE-2.0",
    rights="Anybody may use, change, sell and pass on the model, for any purpose; contributors grant "
    "a licence to the patents they would otherwise hold against it.",
    duties=(
        "Pass the licence text on with every copy or derived model, and keep its notices "
        "(the file NOTICE with them).",
        "Say in changed files that you have changed them.",
        "Do not use names and marks of the publisher as if they stood behind your version.",
        "Whoever sues over patents in the model loses the patent licence.",
        "There is no warranty and no liability of the publisher.",
    ),
)
RAIL = Licence(
    key="openrail-m",
    title="BigCode OpenRAIL-M v1",
    hub="bigcode-openrail-m",
    url=RAIL_URL,
    rights="Anybody may use, change, sell and pass on the model without paying, except for the uses "
    "that the licence rules out. It is no open-source licence, for it restricts fields of use.",
    duties=(
        "Keep to the use restrictions of its Attachment A (listed in the file LICENSE), and see to "
        "it that those you give the model to keep to them.",
        "Put the same restrictions, or ones that do the same, into the terms under which you pass "
        "on the model, a changed model, or a service built on it: the duty goes down the chain.",
        "Give every recipient a copy of the licence, keep its notices, and mark what you changed.",
        "Document what you pass on as well as this model card does, or better.",
        "Do not hide from people that text was generated, where the licence asks you to say so.",
        "There is no warranty and no liability of the publisher; the output is the user's, and its "
        "user answers for it.",
    ),
)
LICENCES = {each.key: each for each in (APACHE, RAIL)}


def help_text() -> str:
    """What choosing either means, for the command's --help."""
    lines = []
    for each in LICENCES.values():
        lines += [f"  {each.key}: {each.title}", *_wrapped(each.rights, "    ")]
        for duty in each.duties:
            lines += _wrapped(f"- {duty}", "    ")
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    import textwrap

    further = indent + ("  " if text.startswith("- ") else "")
    return textwrap.wrap(text, 96, initial_indent=indent, subsequent_indent=further)


def licence_text(licence: Licence, given: Path | None) -> str:
    """The file LICENSE: the text a person gives, else ours.

    For OpenRAIL-M ours is a summary that says so; the wording is its publisher's to give out.
    """
    if given is not None:
        try:
            text = given.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ReleaseError(f"the licence text cannot be read ({error})") from error
        if not text.strip():
            raise ReleaseError(f"{given} is empty: name a file with the text of the licence")
        return text
    if licence is RAIL:
        return (resources.files("trainer.release") / "openrail-m.txt").read_text(encoding="utf-8")
    return _apache()


def _apache() -> str:
    """The text that this program itself is under."""
    beside = Path(__file__).parents[2] / "LICENSE"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    try:
        files = metadata.files("footnote") or []
    except metadata.PackageNotFoundError:
        files = []
    for each in files:
        if each.name == "LICENSE":
            return Path(str(each.locate())).read_text(encoding="utf-8")
    raise ReleaseError(
        "this installation has lost its LICENSE file: name the text with --licence-text"
    )


def is_summary(licence: Licence, given: Path | None) -> bool:
    """Whether LICENSE only describes the licence, so that its text must be added by hand."""
    return licence is RAIL and given is None
