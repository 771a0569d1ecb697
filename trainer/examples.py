"""Documents to fill-in-the-middle examples: where to cut, and the tokens that come of it."""

import bisect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from engine.fim import FimLayout, Order, SentinelIds, heading, render
from trainer.config import SpanRecipe
from trainer.repository import Other

Span = tuple[int, int]  # character offsets: start of the middle, end of the middle

_TRIGGERS = re.compile(r"[.(=,\[ ]")
_CLOSERS = re.compile(r"[)\]}:;,'\"]+$")
_NAME_TOKENS = 48  # of a path, from its end; as the engine shows them
_LEAST = 64  # tokens of another file, fewer tell nothing


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one document that becomes one example."""

    text: str
    start: int  # character offset in the document
    path: str
    language: str
    is_end: bool  # the document ends here
    package: str = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What making examples needs of a tokenizer."""

    encode: Callable[[str], list[int]]
    ids: SentinelIds
    pad: int
    size: int = 1 << 16  # entries, special ones included


def cut_document(text: str, size: int, rng: Random) -> list[Span]:
    """Cut a document at line ends into pieces of up to `size` characters, about.

    Most fill a row; the others are short enough that two or three share one, so that rows pack
    well and the model meets short prompts too.
    """
    pieces = []
    start = 0
    while start < len(text):
        wanted = int(
            size * (rng.uniform(0.8, 1.05) if rng.random() < 0.6 else rng.uniform(0.1, 0.5))
        )
        end = start + wanted
        if len(text) - end < size // 8:
            end = min(len(text), start + size)
        if end < len(text):
            newline = text.rfind("\n", start + wanted // 2, end)
            end = newline + 1 if newline >= 0 else end
        pieces.append((start, min(end, len(text))))
        start = end
    return pieces


def is_table(text: str) -> bool:
    """Mostly digits: a table of numbers, which costs a token a digit and teaches nothing."""
    return sum(map(text.count, "0123456789")) > 0.2 * len(text)


def choose_span(
    piece: Piece, nodes: Callable[[], Sequence[Span]], spans: SpanRecipe, rng: Random
) -> Span:
    """The middle of a piece by the recipe's span laws; never empty.

    `nodes` gives some syntax nodes of the document in and around the piece, other ones at each
    call; it is asked only when that law is drawn.
    The cursor of a piece cut out of a long file leans to its end: real prompts have more before
    the gap than after it.
    """
    laws = (spans.single_line, spans.block, spans.node, spans.random)
    law = rng.choices(("single_line", "block", "node", "random"), laws)[0]
    span: Span | None = None
    if law == "node":
        span = _node(piece, nodes, spans, rng)
    elif law == "random":
        span = _random(piece.text, spans, rng)
    elif law == "block":
        span = _block(piece, spans, rng)
    span = span or _single_line(piece, spans, rng) or _random(piece.text, spans, rng)
    return span or (0, min(len(piece.text), spans.max_middle))


def _random(text: str, spans: SpanRecipe, rng: Random) -> Span | None:
    """StarCoder's law: two uniform character cuts (Bavarian et al. 2022)."""
    if not text:
        return None
    start, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    end = min(max(end, start + 1), start + spans.max_middle, len(text))
    return (min(start, end - 1), end)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    starts += [match.end() for match in re.finditer("\n", text)]
    return starts


def _pick_line(piece: Piece, starts: Sequence[int], rng: Random) -> int:
    whole = piece.is_end and piece.start == 0
    place = rng.random() if whole else rng.betavariate(2.2, 1.1)
    return min(int(place * len(starts)), len(starts) - 1)


def _line(text: str, starts: Sequence[int], number: int) -> tuple[int, int, int]:
    """Start, first character after the indent, and end without the newline or trailing blanks."""
    start = starts[number]
    end = starts[number + 1] - 1 if number + 1 < len(starts) else len(text)
    line = text[start:end]
    return start, start + len(line) - len(line.lstrip()), start + len(line.rstrip())


def _single_line(piece: Piece, spans: SpanRecipe, rng: Random) -> Span | None:
    """From where a cursor would be to the end of its line."""
    text, starts = piece.text, _line_starts(piece.text)
    for _ in range(8):
        _, first, end = _line(text, starts, _pick_line(piece, starts, rng))
        if end <= first:
            continue
        start = _cursor(text, first, end, rng)
        if rng.random() < spans.closer_rate:
            closers = _CLOSERS.search(text, start, end)
            end = closers.start() if closers and closers.start() > start else end
        return start, min(end, start + spans.max_middle)
    return None


def _cursor(text: str, first: int, end: int, rng: Random) -> int:
    """A character of the line: after its indent, after a trigger, or anywhere; before `end`."""
    choice = rng.random()
    if choice < 0.3:
        return first
    if choice < 0.75:
        triggers = [m.end() for m in _TRIGGERS.finditer(text, first, end) if m.end() < end]
        if triggers:
            return rng.choice(triggers)
    return rng.randrange(first, end)


def _block(piece: Piece, spans: SpanRecipe, rng: Random) -> Span | None:
    """From a cursor in a line to the last line that is indented at least as deep."""
    text, starts = piece.text, _line_starts(piece.text)
    for _ in range(8):
        number = _pick_line(piece, starts, rng)
        start, first, end = _line(text, starts, number)
        if end <= first:
            continue
        indent = first - start
        last = end
        for following in range(number + 1, len(starts)):
            begin, inner, stop = _line(text, starts, following)
            if stop <= inner:
                continue
            if inner - begin < indent or (
                indent == 0 and inner == begin and text[inner] not in ")]}"
            ):
                break
            if stop - first > spans.max_middle:
                break
            last = stop
        if last == end:
            continue
        return (first if rng.random() < 0.6 else _cursor(text, first, end, rng)), last
    return None


def _node(
    piece: Piece, nodes: Callable[[], Sequence[Span]], spans: SpanRecipe, rng: Random
) -> Span | None:
    """A whole syntax node inside the piece (AST-FIM, arXiv 2506.00204)."""
    for _ in range(3):
        near = nodes()
        low = bisect.bisect_left(near, (piece.start, 0))
        high = bisect.bisect_left(near, (piece.start + len(piece.text), 0))
        for _ in range(6 if low < high else 0):
            start, end = near[rng.randrange(low, high)]
            start, end = start - piece.start, end - piece.start
            if 2 <= end - start <= spans.max_middle // 2 and end <= len(piece.text):
                return start, end
    return None


def make_example(
    piece: Piece,
    nodes: Callable[[], Sequence[Span]],
    vocabulary: Vocabulary,
    *,
    spans: SpanRecipe,
    layout: FimLayout,
    limit: int,
    rng: Random,
    others: Iterable[Other] | None = None,
) -> list[int]:
    """The tokens of one piece, at most `limit` of them, by the recipe's rates.

    `others` are files of the same package, the most telling first: as much of them as the piece
    leaves room for comes before it. Fill-in-the-middle examples end in the end token right after
    the middle, which is never cut: what is too long loses the left of its prefix and the right of
    its suffix. Plain ones end in it only where their document ends, else in a pad, which is never
    learned.
    """
    ids = vocabulary.ids
    path = (
        _name(piece.path, vocabulary)
        if others is not None or rng.random() < spans.path_rate
        else []
    )
    repository = _name(piece.package, vocabulary) if rng.random() < spans.package_rate else []
    is_fim = rng.random() < spans.fim_rate
    start, end = choose_span(piece, nodes, spans, rng) if is_fim else (0, 0)
    order: Order = "spm" if rng.random() < spans.spm_rate and layout.spm else "psm"
    prefix = vocabulary.encode(piece.text[:start])
    middle = vocabulary.encode(piece.text[start:end])
    suffix = vocabulary.encode(piece.text[end:])
    around = len(middle) + 4  # three sentinels and the end
    bare = len(heading(ids, path=path, repository=repository))
    files = _shown(others, limit - around - len(prefix) - len(suffix) - bare, vocabulary, rng)
    head = heading(ids, path=path, repository=repository, files=files)
    if not is_fim:
        return _plain(piece, head, suffix, vocabulary, limit)
    if len(head) + around > limit:
        # Emoji and other rare characters take several tokens each; a middle is never cut.
        return _plain(piece, head, vocabulary.encode(piece.text), vocabulary, limit)
    prefix, suffix = crop(prefix, suffix, limit - len(head) - around)
    prompt = render(
        layout,
        order=order,
        prefix=prefix,
        suffix=suffix,
        path=path,
        repository=repository,
        files=files,
        ids=ids,
    )
    return [*prompt, *middle, ids.end]


def _name(text: str, vocabulary: Vocabulary) -> list[int]:
    return vocabulary.encode(text.replace("\n", " "))[-_NAME_TOKENS:] if text else []


def _shown(
    others: Iterable[Other] | None, room: int, vocabulary: Vocabulary, rng: Random
) -> list[tuple[list[int], list[int]]]:
    """As much of other files as fits, the most telling last: paths and texts in tokens.

    Each may have half of the room that is left, so that several are seen and the best of them most.
    """
    files: list[tuple[list[int], list[int]]] = []
    if others is None or vocabulary.ids.file_sep is None:
        return files
    room -= _NAME_TOKENS + 2  # the path of the last file moves behind a separator
    for other in others:
        name = _name(other.path, vocabulary)
        share = room // 2 - len(name) - 1 - len(vocabulary.ids.newline)
        if share < _LEAST:
            break
        excerpt = _excerpt(other, share, rng)
        if is_table(excerpt):
            continue
        text = vocabulary.encode(excerpt)[:share]
        files.append((name, text))
        room -= len(text) + room // 2 - share
    return files[::-1]


def _excerpt(other: Other, tokens: int, rng: Random) -> str:
    """The whole text where that is short, else whole lines from what the last file imports on."""
    size = tokens * 3  # characters; fewer to a token than code has, so that they all fit
    if len(other.text) <= size:
        return other.text
    start = other.start
    if not start and rng.random() < 0.5:
        start = other.text.find("\n", rng.randrange(len(other.text) - size)) + 1
    end = other.text.rfind("\n", start, start + size) + 1
    return other.text[start : end if end > start else start + size]


def _plain(
    piece: Piece, head: list[int], body: list[int], vocabulary: Vocabulary, limit: int
) -> list[int]:
    """Left to right, as it stands."""
    tokens = [*head, *body]
    is_end = piece.is_end and len(tokens) < limit
    return [*tokens[: limit - 1], vocabulary.ids.end if is_end else vocabulary.pad]


def crop(
    prefix: list[int], suffix: list[int], room: int, share: float = 0.75
) -> tuple[list[int], list[int]]:
    """Cut the prefix's left and the suffix's right until both fit: 3/4 belongs to the prefix.

    What one side does not use the other may have. ValueError when there is no room at all.
    """
    if room < 0:
        raise ValueError("the middle alone is longer than the row: lower spans.max_middle")
    if len(prefix) + len(suffix) <= room:
        return prefix, suffix
    for_suffix = min(len(suffix), max(room - int(room * share), room - len(prefix)))
    for_prefix = room - for_suffix
    return prefix[len(prefix) - for_prefix :] if for_prefix else [], suffix[:for_suffix]
