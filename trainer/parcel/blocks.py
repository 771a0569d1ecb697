"""A corpus as blocks of xz: as much of it as fits, chosen by content hash, and shards again there.

xz, because every Python reads it and it was the smallest: 42.6 MB of our source files became 6.78 MB,
7.00 MB by zstd -19 --long=27 and 7.58 MB by bzip2. Hashes of texts do not travel: they cannot be
compressed, and are reckoned anew from the texts, which proves these.
"""

import json
import lzma
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

from indexer.document import Document, content_hash
from indexer.shards import Manifest, hash_documents, open_shards, read_documents, write_shards

_FIELDS = tuple(each.name for each in fields(Document) if each.name not in ("text", "sha256"))
BLOCK = 32 << 20  # bytes of text; about 5 MB packed, which journeys can be filled with
_SOURCE = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}
_RATIO = 0.17  # packed to unpacked, before the first block tells
_FULL = 0.985  # of the room: another round would bring little
_ROUNDS = 8

Say = Callable[[str], None]
Placed = tuple[int, Document]  # where it stands in the corpus


class NoRoom(Exception):
    """Nothing of the corpus fits; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PackedCorpus:
    """What travels of a corpus, and which corpus that is."""

    files: tuple[Path, ...]
    about: dict[str, Any]  # name, recipe_hash, selection, corpus_hash, documents, bytes, taken_from


def pack_corpus(corpus: Path, stem: Path, room: int, say: Say) -> PackedCorpus:
    """Write `stem`-00.xz and so on, at most `room` bytes in all; the same every time.

    Documents are taken by the first bits of their content hash, which keeps the share of every
    language. NoRoom when nothing fits.
    """
    manifest = open_shards(corpus)
    taken, used, ratio = 0.0, 0, _RATIO
    files: list[Path] = []
    kept: list[Placed] = []
    for _ in range(_ROUNDS):
        fits = 0.97 * (room - used) / (ratio * max(1, manifest.bytes))
        if taken >= 1.0 or used > _FULL * room:
            break
        until = min(1.0, taken + fits)
        made, documents = _pack(corpus, stem, len(files), (taken, until), say)
        size = sum(each.stat().st_size for each in made)
        text = sum(each.size for _, each in documents)
        if used + size > room:
            for each in made:
                each.unlink()
            ratio = 1.05 * size / max(1, text)
            continue
        ratio = size / text if text else ratio
        files += made
        kept += [(place, replace(each, text="")) for place, each in documents]
        taken, used = until, used + size
    if not kept:
        raise NoRoom(
            f"nothing of the corpus fits into {room / 1e6:.1f} MB: give more --megabytes or --journeys"
        )
    return PackedCorpus(tuple(files), _about(manifest, kept, taken))


def _about(manifest: Manifest, kept: list[Placed], share: float) -> dict[str, Any]:
    documents = [each for _, each in sorted(kept, key=_place)]
    whole = len(documents) == manifest.documents
    share_said = "" if whole else f", {share:.1%} of it by content hash"
    return {
        "name": manifest.name + share_said,
        "recipe_hash": manifest.recipe_hash,
        "selection": manifest.selection,
        "corpus_hash": hash_documents(documents),
        "documents": len(documents),
        "share": share,
        "taken_from": {"name": manifest.name, "corpus_hash": manifest.corpus_hash},
    }


def _pack(
    corpus: Path, stem: Path, number: int, hashes: tuple[float, float], say: Say
) -> tuple[list[Path], list[Placed]]:
    """Blocks of the documents whose hash lies in a range."""
    low, high = hashes
    chosen = (
        (place, each)
        for place, each in enumerate(read_documents(corpus))
        if low <= int(each.sha256[:8], 16) / 2**32 < high
    )
    made: list[Path] = []
    documents: list[Placed] = []
    blocks = _cut(chosen)
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # xz works without Python's lock
        while group := list(islice(blocks, os.cpu_count() or 1)):
            for packed in threads.map(_to_block, group):
                path = stem.with_name(f"{stem.name}-{number + len(made):02}.xz")
                path.write_bytes(packed)
                made.append(path)
            documents += [each for block in group for each in block]
            text = sum(each.size for _, each in documents)
            packed_bytes = sum(each.stat().st_size for each in made)
            say(f"packing {stem.name}: {text / 1e6:.0f} MB into {packed_bytes / 1e6:.1f} MB")
    return made, documents


def _cut(documents: Iterable[Placed]) -> Iterator[list[Placed]]:
    block: list[Placed] = []
    size = 0
    for each in documents:
        block.append(each)
        size += each[1].size
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _to_block(documents: Sequence[Placed]) -> bytes:
    """A line of JSON about all documents, then their texts one after the other."""
    texts = [each.text.encode("utf-8", "surrogatepass") for _, each in documents]
    heads = [
        [place, len(text), *(getattr(each, name) for name in _FIELDS)]
        for (place, each), text in zip(documents, texts, strict=True)
    ]
    head = json.dumps(heads, separators=(",", ":")).encode() + b"\n"
    return lzma.compress(head + b"".join(texts), filters=[_SOURCE])


def _from_block(packed: bytes) -> list[Placed]:
    head, _, texts = lzma.decompress(packed).partition(b"\n")
    out = []
    at = 0
    for place, size, *values in json.loads(head):
        text = texts[at : at + size].decode("utf-8", "surrogatepass")
        at += size
        known = dict(zip(_FIELDS, values, strict=True))
        out.append((place, Document(text=text, sha256=content_hash(text), **known)))
    return out


def _place(placed: Placed) -> int:
    return placed[0]


def unpack_corpus(files: Sequence[Path], folder: Path, about: Mapping[str, Any]) -> None:
    """Write the blocks' documents as shards into `folder`, unless they are there already.

    ValueError when they are not the documents that were packed.
    """
    if (folder / "manifest.json").is_file() and open_shards(folder).corpus_hash == about[
        "corpus_hash"
    ]:
        return
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        blocks = list(threads.map(lambda each: _from_block(each.read_bytes()), files))
    documents = [each for _, each in sorted((p for block in blocks for p in block), key=_place)]
    if hash_documents(documents) != about["corpus_hash"]:
        raise ValueError("the corpus is not the one that was packed: carry its blocks again")
    meta = {key: about[key] for key in ("name", "recipe_hash", "selection", "taken_from")}
    write_shards(folder, documents, meta=meta)
