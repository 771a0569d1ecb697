"""An index without what was removed from it: smaller, and with no trace of the removed files but their note."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.attribution import catalogue, postings, schema, text_store
from indexer.attribution.builder import Plan, Progress, build_index
from indexer.attribution.fingerprints import FORMS
from indexer.attribution.library import Library
from indexer.attribution.postings import STOP, Lines, Postings
from indexer.attribution.removal import hidden_files, read_removals, write_removals
from indexer.document import Document
from indexer.replacing import replacement, scratch
from indexer.shards import write_shards


def compact(
    folder: Path, *, jobs: int = 2, progress: Progress = lambda done, total: None
) -> schema.IndexInfo:
    """Replaces an index by one without the files that were removed from it.

    Where the texts are at hand it is built anew from them, so that what was common idiom, or one place of
    many, is counted again; else entries and files are left out. Raises IndexUnavailable.
    """
    info = schema.read_info(folder)
    schema.verify(folder, info, fully=True)
    if not hidden_files(catalogue.Catalogue(folder), read_removals(folder)).any():
        return info
    if info.text:
        return _built_anew(folder, info, jobs, progress)
    with replacement(folder) as new:
        info = _filtered(folder, new, info)
        write_removals(new, read_removals(folder))
    return info


def _built_anew(
    folder: Path, info: schema.IndexInfo, jobs: int, progress: Progress
) -> schema.IndexInfo:
    with scratch(folder) as place:
        meta = {"name": info.corpus, "recipe_hash": info.recipe_hash, "selection": info.selection}
        write_shards(place / "corpus", _documents(folder), meta=meta)
        plan = Plan(jobs=jobs, roots=info.roots, paths=info.paths, made_from=info)
        built = build_index(place / "corpus", folder, plan, progress=progress)
    assert built is not None, "a build without ranks ends with an index"
    return built


def _documents(folder: Path) -> Iterator[Document]:
    """The documents of an index with texts, those that were removed as well: the builder counts them."""
    library = Library(folder)
    for number in range(len(library.catalogue)):
        file = library.catalogue.file(number)
        package = file.package
        yield Document(
            text=library.text(file) or "",
            path=file.path,
            package=package.name,
            version=package.version,
            kind=package.kind,
            license=file.license,
            license_source="index",
            url=package.url,
            language=file.language,
            sha256=file.sha256,
        )


def _filtered(folder: Path, new: Path, info: schema.IndexInfo) -> schema.IndexInfo:
    """An index without texts, with fewer files. Lines keep their numbers, so there are gaps between files."""
    removals = read_removals(folder)
    known = catalogue.Catalogue(folder)
    hidden = hidden_files(known, removals)
    known.hide(hidden)
    kept = np.flatnonzero(~hidden)
    _write_files(folder, new, known, kept)
    stopped = {}
    for form in FORMS:
        table = _without(postings.read(folder, form.name), known)
        for part in ("starts", "keys", "lines"):
            getattr(table, part).tofile(new / f"{form.name}.{part}")
        stopped[form.name] = int((table.lines == STOP).sum())
    gone = [
        schema.Removed(each.package, each.path, int(hidden_files(known, [each]).sum()), 0)
        for each in removals
    ]
    packages = catalogue.Catalogue(new).all_packages
    info = replace(
        info,
        documents=len(kept),
        packages=len(packages),
        bytes=sum(each.bytes for each in packages),
        stopped=stopped,
        removed=(*info.removed, *(each for each in gone if each.documents)),
        files=schema.record_files(new),
    )
    schema.write_info(new, info)
    return info


def _write_files(
    folder: Path, new: Path, known: catalogue.Catalogue, kept: npt.NDArray[np.intp]
) -> None:
    """Catalogue and tokens of the files that are kept."""
    store = text_store.BlockStore(folder, text_store.TOKENS)
    packer = text_store.Packer()
    for number in kept.tolist():
        packer.add(store.read(*known.place(number)))
    packed = packer.finish()
    (new / f"{text_store.TOKENS}.blocks").write_bytes(b"".join(packed.blocks))
    sizes = np.array([len(data) for data in packed.blocks], np.uint64)
    text_store.write_ends(new, text_store.TOKENS, sizes)
    rows: npt.NDArray[Any] = np.load(folder / "files.npy")[kept]
    rows["block"], rows["offset"], rows["size"] = packed.block_of, packed.offset_of, packed.size_of
    numbers, rows["package"] = np.unique(rows["package"], return_inverse=True)
    left = np.bincount(rows["package"], minlength=len(numbers))
    packages = [known.all_packages[number] for number in numbers.tolist()]
    catalogue.write(
        new,
        files=rows,
        paths=[known.path(number) for number in kept.tolist()],
        packages=[
            replace(each, files=count) for each, count in zip(packages, left.tolist(), strict=True)
        ],
        licenses=known.licenses,
        languages=known.languages,
    )


def _without(table: Postings, known: catalogue.Catalogue) -> Postings:
    """The table without places in hidden files."""
    keep = ~known.hides(table.lines)
    before: Lines = np.concatenate([[0], np.cumsum(keep)]).astype(np.uint32)
    return Postings(before[table.starts], table.keys[keep], table.lines[keep])
