"""Makes copies of corpus passages as people make them, and puts them into files of other packages.

The changes go through `ast`, `tokenize`, formatters and line edits, never through the lexer that is being
evaluated: an invariance that the lexer only believes to have shows as a miss.
"""

import ast
import textwrap
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from random import Random

from indexer.document import Document
from indexer.shards import read_documents
from trainer.evaluation.attribution.editing import edited, edited_by_count, foreign_lines
from trainer.evaluation.attribution.formatting import reformatted
from trainer.evaluation.attribution.passages import SCRIPTS, Passage, draw_passage, lexemes
from trainer.evaluation.attribution.pools import pool
from trainer.evaluation.attribution.renaming import renamed
from trainer.evaluation.attribution.splits import is_in
from trainer.evaluation.syntax import parsed

KINDS = {
    "verbatim": "as it is",
    "reformatted": "laid out anew by a formatter",
    "renamed lightly": "local names replaced until about 9% of the tokens are, each by one",
    "renamed fully": "every name that is not built in, an attribute or an import is replaced, and "
    "literals; the names of arguments in calls stay",
    "renamed throughout": "as fully, and the attributes of self and this",
    "renamed inconsistently": "every local name replaced, in two ways",
    "edited 2+2": "two lines deleted, two foreign ones inserted",
    "edited 2+2, renamed, reformatted": "the same after light renaming and formatting",
    "edited 10%": "a tenth of the lines deleted, joined by a foreign one, moved or replaced",
    "edited 20%": "a fifth of them",
    "edited 30%": "three in ten",
    "edited 50%": "half of them",
    "spliced": "one half of each of two passages, from two packages",
}
LENGTHS = (5, 10, 20, 40)  # lines that are not blank
GROUPS = {"python": ("python",), "javascript": SCRIPTS[:2], "typescript": SCRIPTS[2:]}
_FORMATTED = ("reformatted", "edited 2+2, renamed, reformatted")
_LARGEST = 60_000  # characters of a file to copy from; longer ones are tables and bundles
_HOST_LINES = (20, 400)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a copy is from."""

    package: str
    path: str
    license: str
    language: str
    first_line: int
    last_line: int
    text: str  # the passage, its indentation as in the file


@dataclass(frozen=True, slots=True)
class Case:
    """A copy in its host."""

    kind: str
    group: str  # of languages
    lines: int  # as asked for
    origins: tuple[Origin, ...]
    copy: str
    lexemes: int
    host: str  # package and path
    host_path: str
    host_language: str
    text: str  # of the host with the copy
    first_line: int  # of the copy in it
    last_line: int

    @property
    def package(self) -> str:
        return self.origins[0].package


@dataclass(frozen=True, slots=True)
class _Task:
    kind: str
    group: str
    lines: int
    documents: tuple[Document, ...]  # spares behind those that are needed
    foreign: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """A copy, but for its layout."""

    task: _Task
    origins: tuple[Origin, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Which copies to make."""

    count: int  # of each kind, length and group
    kinds: Sequence[str] = tuple(KINDS)
    lengths: Sequence[int] = LENGTHS
    groups: Sequence[str] = tuple(GROUPS)
    split: str = "test"
    seed: int = 1


def plant_all(corpus: Path, hosts: Sequence[Document], plan: Plan, *, jobs: int = 1) -> list[Case]:
    """The copies of a plan in their hosts, as far as the corpus has passages."""
    rng = Random(f"{plan.seed}/{plan.split}")
    cells = list(product(plan.kinds, plan.lengths))
    wanted = {name: (GROUPS[name], 3 * plan.count * len(cells)) for name in plan.groups}
    drawn = draw_documents(corpus, wanted, plan.split, rng)
    tasks: list[_Task] = []
    for group in plan.groups:
        lines = foreign_pool(hosts, group)
        if not lines or not drawn[group]:
            continue
        queue = deque(drawn[group])
        for kind, length in (cell for _ in range(plan.count) for cell in cells):
            documents = tuple(queue[n % len(queue)] for n in range(6))
            queue.rotate(-3)
            foreign = tuple(rng.sample(lines, min(40, len(lines))))
            tasks.append(_Task(kind, group, length, documents, foreign, rng.getrandbits(48)))
    drafts = [each for each in _in_processes(_drafted, tasks, jobs) if each]
    laid_out = _laid_out(drafts)
    planted = (_planted(draft, copy, hosts) for draft, copy in zip(drafts, laid_out, strict=True))
    return [case for case in planted if case]


def draw_documents(
    corpus: Path, wanted: Mapping[str, tuple[Sequence[str], int]], split: str, rng: Random
) -> dict[str, list[Document]]:
    """For each group as many documents as wanted, or all there are: of every package one, then another."""
    group_of = {language: name for name, (languages, _) in wanted.items() for language in languages}
    numbers: dict[str, dict[str, list[int]]] = {name: {} for name in wanted}
    for number, each in enumerate(read_documents(corpus, ("package", "language"))):
        if each.language in group_of and is_in(each.package, split):
            numbers[group_of[each.language]].setdefault(each.package, []).append(number)
    chosen: dict[int, str] = {}
    for name, (_, count) in wanted.items():
        queues = [rng.sample(each, len(each)) for _, each in sorted(numbers[name].items())]
        taken: list[int] = []
        while len(taken) < count and any(queues):
            rng.shuffle(queues)
            taken += [queue.pop() for queue in queues if queue]
        chosen.update(dict.fromkeys(taken[:count], name))
    found: dict[str, list[Document]] = {name: [] for name in wanted}
    for number, each in enumerate(read_documents(corpus)):
        if number in chosen and len(each.text) <= _LARGEST:
            found[chosen[number]].append(each)
    for documents in found.values():
        rng.shuffle(documents)
    return found


def foreign_pool(hosts: Sequence[Document], group: str) -> list[str]:
    """Different lines of the files that copies of a group are put into."""
    fitting = [each for each in hosts if _fits(each, group)]
    return sorted({line for each in fitting for line in foreign_lines(each.text)})


def _fits(host: Document, group: str) -> bool:
    """Whether a copy may be put into a file: the same family of languages, and no long file."""
    languages = GROUPS["python"] if group == "python" else SCRIPTS
    first, last = _HOST_LINES
    return host.language in languages and first <= host.text.count("\n") <= last


def _in_processes(
    make: Callable[[_Task], _Draft | None], tasks: Sequence[_Task], jobs: int
) -> list[_Draft | None]:
    if jobs < 2:
        return [make(each) for each in tasks]
    with pool(jobs) as workers:
        return list(workers.map(make, tasks, chunksize=64))


def _drafted(task: _Task) -> _Draft | None:
    """The copy a task asks for, from the first of its documents that has such a passage."""
    rng = Random(task.seed)
    spliced = task.kind == "spliced"
    lines = task.lines // 2 if spliced else task.lines
    origins: list[Origin] = []
    parts: list[str] = []
    for document in task.documents:
        if any(each.package == document.package for each in origins):
            continue
        passage = draw_passage(document.text, document.language, lines, rng)
        copy = passage and _changed(passage.text, document.language, task, rng)
        if passage and copy and copy.strip():
            origins.append(_origin(document, passage))
            parts.append(copy)
        if len(parts) == 1 + spliced:
            return _Draft(task, tuple(origins), "\n".join(parts))
    return None


def _origin(document: Document, passage: Passage) -> Origin:
    rows = document.text.splitlines()[passage.first_line - 1 : passage.last_line]
    return Origin(
        document.package,
        document.path,
        document.license,
        document.language,
        passage.first_line,
        passage.last_line,
        "\n".join(rows),
    )


def _changed(text: str, language: str, task: _Task, rng: Random) -> str | None:
    """The passage as its kind has it, before any formatter; None when it cannot be had so."""
    kind = task.kind
    if kind.startswith("renamed"):
        return renamed(text, kind.split()[1], language, rng)
    if kind == "edited 2+2":
        return edited_by_count(text, 2, 2, language, task.foreign, rng)
    if kind == "edited 2+2, renamed, reformatted":
        return renamed(text, "lightly", language, rng)
    if kind.startswith("edited"):
        share = int(kind.split()[1].rstrip("%")) / 100
        return edited(text, share, language, task.foreign, rng)
    return text


def _laid_out(drafts: Sequence[_Draft]) -> list[str | None]:
    """The texts of the drafts, those that a formatter is to touch by the formatter."""
    texts: list[str | None] = [each.text for each in drafts]
    numbers = [n for n, each in enumerate(drafts) if each.task.kind in _FORMATTED]
    made = reformatted(
        [(drafts[n].text, drafts[n].origins[0].language, drafts[n].task.seed) for n in numbers]
    )
    for number, text in zip(numbers, made, strict=True):
        task = drafts[number].task
        if text and task.kind.startswith("edited"):
            language = drafts[number].origins[0].language
            # A formatter may leave too few lines to edit.
            enough = sum(bool(row.strip()) for row in text.split("\n")) > 3
            edit = partial(edited_by_count, text, 2, 2, language, task.foreign)
            text = edit(Random(task.seed)) if enough else None
        texts[number] = text
    return texts


def _planted(draft: _Draft, copy: str | None, hosts: Sequence[Document]) -> Case | None:
    task = draft.task
    fitting = [each for each in hosts if _fits(each, task.group)]
    if not copy or not copy.strip() or not fitting:
        return None
    rng = Random(task.seed)
    package = rng.choice(sorted({each.package for each in fitting}))
    host = rng.choice([each for each in fitting if each.package == package])
    copy = "\n".join(row for row in copy.strip("\n").splitlines())
    text, first, last = plant(host.text, copy, host.language, rng)
    return Case(
        task.kind,
        task.group,
        task.lines,
        draft.origins,
        copy,
        len(lexemes(copy)),
        f"{host.package}/{host.path}",
        host.path,
        host.language,
        text,
        first,
        last,
    )


def plant(host: str, copy: str, language: str, rng: Random) -> tuple[str, int, int]:
    """The host with the copy in it, at a random place between statements; its first and last line, 1-based."""
    lines = host.splitlines()
    number, indent = rng.choice(_gaps(host, lines, language) or [(len(lines), "")])
    planted = ["", *textwrap.indent(copy, indent).splitlines(), ""]
    return (
        "\n".join([*lines[:number], *planted, *lines[number:], ""]),
        number + 2,
        number + len(planted) - 1,
    )


def _gaps(host: str, lines: list[str], language: str) -> list[tuple[int, str]]:
    """Line numbers before which something may be put, and the indentation it needs there."""
    if language != "python":
        return [
            (number, "")
            for number in range(1, len(lines))
            if lines[number] and not lines[number - 1].strip() and lines[number][0].isalpha()
        ]
    tree = parsed(host)
    if tree is None:
        return []
    gaps = [(node.end_lineno or 0, "") for node in tree.body]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            gaps += [(each.end_lineno or 0, " " * each.col_offset) for each in node.body]
    return gaps
