"""The fill-in-the-middle layout: the one renderer that training and serving share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Order = Literal["psm", "spm"]

# What an order is spelled with: three sentinels and the two texts around the gap.
PIECES = ("<prefix>", "<suffix>", "<middle>", "P", "S")


@dataclass(frozen=True, slots=True)
class FimLayout:
    """How one family of models wants its gaps written down; the defaults are StarCoder's.

    `psm` and `spm` list the pieces in order: "<prefix>", "<suffix>", "<middle>" are the sentinels,
    "P" and "S" the texts before and after the gap. An empty order is one the model was not
    trained on. The SPM default is the variant that ends in the prefix (Bavarian et al. 2022,
    arXiv 2207.14255, appendix D): a keystroke then only lengthens the prompt at its end.
    """

    prefix: str = "<fim_prefix>"
    suffix: str = "<fim_suffix>"
    middle: str = "<fim_middle>"
    end: str = "<|endoftext|>"
    file_name: str = "<filename>"  # empty: the model knows no file names
    repo_name: str = "<reponame>"  # empty: it knows no names of repositories
    file_sep: str = "<|file_sep|>"  # empty: it was shown one file at a time
    psm: tuple[str, ...] = ("<prefix>", "P", "<suffix>", "S", "<middle>")
    spm: tuple[str, ...] = ("<prefix>", "<suffix>", "S", "<middle>", "P")

    def __post_init__(self) -> None:
        for order in (self.psm, self.spm):
            if order and sorted(order) != sorted(PIECES):
                raise ValueError(f"an order needs each of {PIECES} once, or none at all: {order}")

    def pieces(self, order: Order) -> tuple[str, ...]:
        """The pieces of an order; ValueError when the model was not trained on it."""
        pieces = self.psm if order == "psm" else self.spm
        if not pieces:
            raise ValueError(f"this layout has no {order} order; use the other one")
        return pieces


@dataclass(frozen=True, slots=True)
class SentinelIds:
    """The token ids of a layout's sentinels in one vocabulary."""

    prefix: int
    suffix: int
    middle: int
    end: int
    file_name: int | None
    newline: tuple[int, ...]  # the tokens of "\n", which ends the name of a file or a repository
    repo_name: int | None = None
    file_sep: int | None = None


def sentinel_ids(
    layout: FimLayout,
    token_to_id: Callable[[str], int | None],
    encode: Callable[[str], Sequence[int]],
) -> SentinelIds:
    """Look the sentinels up; ValueError when the vocabulary lacks one that the layout needs."""

    def require(token: str) -> int:
        found = token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no token {token!r}: model and layout differ")
        return found

    return SentinelIds(
        prefix=require(layout.prefix),
        suffix=require(layout.suffix),
        middle=require(layout.middle),
        end=require(layout.end),
        file_name=require(layout.file_name) if layout.file_name else None,
        newline=tuple(encode("\n")),
        repo_name=require(layout.repo_name) if layout.repo_name else None,
        file_sep=require(layout.file_sep) if layout.file_sep else None,
    )


File = tuple[Sequence[int], Sequence[int]]  # the tokens of a path, the tokens of the text


def heading(
    ids: SentinelIds,
    *,
    path: Sequence[int] = (),
    repository: Sequence[int] = (),
    files: Sequence[File] = (),
) -> list[int]:
    r"""What stands before a file's own text: its repository, other files of it, and its path.

    One file alone: `<reponame>NAME\n` and `<filename>path\n`, each only when it is given. With
    other files, as llama.cpp's /infill writes them, the most telling one last:

        <reponame>NAME\n <|file_sep|>path\n text <|file_sep|>path\n text ... <|file_sep|>path\n

    where the last path is the file's own and its text follows. Between the parts stands nothing:
    the blanks above are for the reader, and a text ends as it ends. Names, paths and texts are
    tokenised separately. What a model has no token for is left out.
    """
    out: list[int] = []
    if repository and ids.repo_name is not None:
        out += [ids.repo_name, *repository, *ids.newline]
    if files and ids.file_sep is not None:
        for name, text in files:
            out += [ids.file_sep, *name, *ids.newline, *text]
        out += [ids.file_sep, *path, *ids.newline]
    elif path and ids.file_name is not None:
        out += [ids.file_name, *path, *ids.newline]
    return out


def render(
    layout: FimLayout,
    *,
    order: Order,
    prefix: Sequence[int],
    suffix: Sequence[int],
    path: Sequence[int] = (),
    repository: Sequence[int] = (),
    files: Sequence[File] = (),
    ids: SentinelIds,
) -> list[int]:
    """The prompt as token ids; the model continues it with the middle and then `ids.end`.

    Prefix, suffix and path are tokenised separately, in training as in serving. The `heading` comes
    first, before the sentinels; the gap is in the last file, whose path is `path`.
    """
    out = heading(ids, path=path, repository=repository, files=files)
    values: dict[str, Sequence[int]] = {
        "<prefix>": (ids.prefix,),
        "<suffix>": (ids.suffix,),
        "<middle>": (ids.middle,),
        "P": prefix,
        "S": suffix,
    }
    for piece in layout.pieces(order):
        out += values[piece]
    return out


@dataclass(frozen=True, slots=True)
class Parsed:
    """A rendered example taken apart again, all in token ids."""

    path: list[int]
    prefix: list[int]
    suffix: list[int]
    middle: list[int]
    repository: list[int] = field(default_factory=list)
    files: list[tuple[list[int], list[int]]] = field(default_factory=list)


def parse(
    layout: FimLayout,
    tokens: Sequence[int],
    ids: SentinelIds,
    *,
    order: Order,
    prefix_length: int = 0,
) -> Parsed:
    """Take a rendered prompt (with its middle and end, or without) apart: the inverse of `render`.

    The order must be given: with an empty prefix StarCoder's two orders are one and the same. In
    SPM nothing marks where the prefix ends and the middle begins: `prefix_length` says it. The name
    of a file or repository ends at the first line end. ValueError when the tokens do not follow the
    order.
    """
    body = list(tokens)
    if ids.end in body:
        body = body[: body.index(ids.end)]
    repository: list[int] = []
    path: list[int] = []
    files: list[tuple[list[int], list[int]]] = []
    if ids.repo_name is not None and body[:1] == [ids.repo_name]:
        repository, body = _line(body[1:], ids)
    if ids.file_name is not None and body[:1] == [ids.file_name]:
        path, body = _line(body[1:], ids)
    elif ids.file_sep is not None and body[:1] == [ids.file_sep]:
        *others, last = _cut(body[1:], ids.file_sep)
        files = [_line(other, ids) for other in others]
        path, body = _line(last, ids)
    pieces = layout.pieces(order)
    found = _split(pieces, body, ids)
    if found is None:
        raise ValueError(f"the tokens do not follow the {order} order of this layout")
    prefix, suffix, middle = found["P"], found["S"], found["M"]
    if pieces[-1] == "P":
        prefix, middle = prefix[:prefix_length], prefix[prefix_length:]
    return Parsed(path, prefix, suffix, middle, repository, files)


def _line(tokens: list[int], ids: SentinelIds) -> tuple[list[int], list[int]]:
    """What stands before the first line end, and what follows it."""
    newline = list(ids.newline)
    for place in range(len(tokens) - len(newline) + 1):
        if tokens[place : place + len(newline)] == newline:
            return tokens[:place], tokens[place + len(newline) :]
    raise ValueError("the name of a file or repository does not end: its line end is missing")


def _cut(tokens: list[int], separator: int) -> list[list[int]]:
    parts: list[list[int]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _split(
    pieces: tuple[str, ...], body: list[int], ids: SentinelIds
) -> dict[str, list[int]] | None:
    sentinels = {"<prefix>": ids.prefix, "<suffix>": ids.suffix, "<middle>": ids.middle}
    found: dict[str, list[int]] = {"P": [], "S": [], "M": []}
    rest = body
    for place, piece in enumerate(pieces):
        if piece in sentinels:
            if not rest or rest[0] != sentinels[piece]:
                return None
            rest = rest[1:]
            continue
        following = pieces[place + 1] if place + 1 < len(pieces) else None
        if following is None:
            end = len(rest)
        elif sentinels[following] in rest:
            end = rest.index(sentinels[following])
        else:
            return None
        found[piece], rest = rest[:end], rest[end:]
    found["M"] = rest
    return found


def layout_to_json(layout: FimLayout) -> dict[str, Any]:
    """The layout as the checkpoint folder stores it."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(layout).items()}


def layout_from_json(values: Mapping[str, Any]) -> FimLayout:
    """The inverse of `layout_to_json`; TypeError on an unknown name.

    A folder that says nothing of repositories is of a model that was never shown one.
    """
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return FimLayout(**{"repo_name": "", "file_sep": "", **plain})
