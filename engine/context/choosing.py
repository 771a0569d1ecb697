"""Excerpts of other files: definitions behind the imports, passages like the one that is written."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from engine.api import Excerpt, Gap
from engine.context.definitions import told
from engine.context.imports import candidates
from engine.context.likeness import LINES, likeness, words
from engine.context.source import Source
from engine.credentials import looks_secret

_NEAR_BEFORE, _NEAR_AFTER = 1_600, 600  # characters around the gap in which a name counts as near
_HOPS = 2  # files that only hand a name on
_MOST_DEFINITIONS = 12
_MOST_PASSAGES = 3
_LEAST_LIKENESS = 0.08
_QUERY_AFTER = 5  # lines behind the gap

Find = Callable[[str], Source | None]


def excerpts(
    gap: Gap,
    own: Source,
    opened: Sequence[Source],
    find: Find,
    *,
    in_time: Callable[[], bool] = lambda: True,
) -> tuple[Excerpt, ...]:
    """What other files say about a gap in `own`, the most telling first.

    Nothing is shown that looks as if it held a key or a password. `opened` are files that a person works with, the last one used first; `find` gives the file at
    a path of the project, if there is one to be looked into. What is found when `in_time` says no
    is what there is.
    """
    defined = tuple(_definitions(gap, own, find, in_time))
    told_of = {own.path, *(each.path for each in defined)}
    others = [each for each in opened if each.path not in told_of]
    return (*defined, *_passages(gap, others, in_time))


def _definitions(
    gap: Gap, own: Source, find: Find, in_time: Callable[[], bool]
) -> Iterator[Excerpt]:
    """Of each imported file what is used of it, those that are used near the gap first."""
    before, after = gap.prefix[-_NEAR_BEFORE:], gap.suffix[:_NEAR_AFTER]
    found: list[tuple[int, str, str]] = []  # how near, path, text
    for name, source, place in _imported(gap, own, find, in_time):
        spot = before.rfind(name)
        nearness = spot if spot >= 0 else -_NEAR_BEFORE if name in after else -2 * _NEAR_BEFORE
        text = told(source.text, place, source.language)
        if not looks_secret(text):
            found.append((nearness, source.path, text))
    found.sort(key=lambda each: -each[0])
    by_path: dict[str, list[str]] = {}
    for _, path, text in found[:_MOST_DEFINITIONS]:
        if text not in by_path.setdefault(path, []):
            by_path[path].append(text)
    return (Excerpt(path, "".join(texts)) for path, texts in by_path.items())


def _imported(
    gap: Gap, own: Source, find: Find, in_time: Callable[[], bool]
) -> Iterator[tuple[str, Source, int]]:
    """Names of other files that are used here, with the places of their definitions."""
    for module, names in own.imports:
        if not in_time():
            return
        source = _file_of(module, own, find)
        if source is None or source.path == own.path:
            continue
        is_module = own.language == "python" and _is_of(source.path, module)
        wanted = _attributes(module, gap) if is_module else names
        for name in wanted:
            if (definition := _definition(name, source, find, _HOPS)) is not None:
                yield name, *definition


def _is_of(path: str, module: str) -> bool:
    """Whether a file is the module itself, not one that the last part of it is a name in."""
    stem = path.rsplit(".", 1)[0].removesuffix("/__init__")
    return f"/{stem}".endswith(f"/{module}")


def _attributes(module: str, gap: Gap) -> Iterable[str]:
    """What is used of a module, by its name."""
    local = re.escape(module.rsplit("/", 1)[-1])
    used = re.compile(rf"(?<![\w.]){local}\.(\w+)")
    return dict.fromkeys((*used.findall(gap.prefix), *used.findall(gap.suffix)))


def _file_of(module: str, own: Source, find: Find) -> Source | None:
    for path in candidates(module, own.path, own.language):
        if (found := find(path)) is not None:
            return found
    return None


def _definition(name: str, source: Source, find: Find, hops: int) -> tuple[Source, int] | None:
    """Where a name is defined: in that file, or in one that it takes the name from."""
    if (place := source.definitions.get(name)) is not None:
        return source, place
    for module, names in source.imports if hops else ():
        if name in names and (further := _file_of(module, source, find)) is not None:
            return _definition(name, further, find, hops - 1)
    return None


def _passages(gap: Gap, opened: Sequence[Source], in_time: Callable[[], bool]) -> Iterator[Excerpt]:
    """Of each open file the passage that is most like the text around the gap."""
    lines = gap.prefix[-4_000:].split("\n")[-LINES:]
    lines += gap.suffix[:1_000].split("\n")[:_QUERY_AFTER]
    query = words("\n".join(lines))
    best: list[tuple[float, Source, int, int]] = []
    for source in opened:
        if not in_time():
            break
        alike, passage = max(
            ((likeness(query, each.words), each) for each in source.passages),
            key=lambda each: each[0],
        )
        if alike >= _LEAST_LIKENESS:
            best.append((alike, source, passage.start, passage.end))
    best.sort(key=lambda each: -each[0])
    texts = ((source.path, source.text[start:end]) for _, source, start, end in best)
    shown = (Excerpt(path, text) for path, text in texts if not looks_secret(text))
    yield from islice(shown, _MOST_PASSAGES)
