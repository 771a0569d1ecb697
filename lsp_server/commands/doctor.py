"""`footnote doctor`: what is installed, whether it belongs together, what is wrong, what to do."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server import installation
from lsp_server.session import belonging

if TYPE_CHECKING:
    from engine.api import ModelInfo
    from indexer import IndexInfo

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
_MARKS = {OK: "ok", NOTE: "--", WARNING: "!!", ERROR: "XX"}
_LIBRARIES = (
    "footnote", "torch", "transformers", "tokenizers", "safetensors", "pygls", "lsprotocol",
    "tantivy", "pyarrow", "numpy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; a remedy says what to run or change."""

    name: str
    state: str  # ok, note, warning or error
    found: str
    remedy: str = ""


def main(argv: list[str]) -> int:
    """0 when all is well, 1 when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="footnote doctor",
        description="Check the installation, the model, the corpus and the index, and whether "
        "they belong together.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--model", metavar="PATH", help="check this model instead: a folder or a GGUF file"
    )
    parser.add_argument(
        "--backend",
        default="auto",
        metavar="NAME",
        help="as the setting: native, openvino, torch, llama_cpp or auto",
    )
    options = parser.parse_args(argv)
    checks = []
    for check in examine(options.model, options.backend):
        checks.append(check)
        if not options.json:
            _print(check)
    wrong = [check for check in checks if check.state in {WARNING, ERROR}]
    if options.json:
        report = {"ok": not wrong, "checks": [asdict(check) for check in checks]}
        print(json.dumps(report | {"versions": versions()}, indent=1))
    else:
        print("\nall is well" if not wrong else f"\n{len(wrong)} to look at")
    return 1 if wrong else 0


def examine(model: str | None = None, backend: str = "auto") -> Iterator[Check]:
    """All checks, in the order in which one builds on another."""
    yield _python()
    yield _environment()
    yield _libraries()
    yield _kernels()
    yield _lexer()
    yield _data()
    info: list[Any] = [None, {}]
    yield _guarded("model", lambda: _model(model, backend, info))
    if info[0] is not None and info[0].backend:
        yield _guarded("backend", lambda: _backend(info[0], backend))
    yield _guarded("corpus", _corpus)
    yield from _indexes(info[1])
    if info[0] is not None and info[1]:
        # Of the corpus's index, where there is one; nobody expects that a model learned their own code.
        yield _together(info[0], next(iter(info[1].values())))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 -- a doctor reports what would end others
        return Check(name, ERROR, f"{type(error).__name__}: {error}", "report this as a bug")


def _python() -> Check:
    found = (
        f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    )
    return Check("python", OK, found)


def _environment() -> Check:
    problem = installation.intruder()
    where = str(Path(__file__).resolve().parents[2])
    if problem is None:
        return Check("packages", OK, f"ours alone, in {where}")
    found, _, remedy = problem.partition("; ")
    return Check("packages", ERROR, found, remedy)


def _libraries() -> Check:
    found = versions()
    missing = [name for name, number in found.items() if number == "missing"]
    listed = ", ".join(f"{name} {number}" for name, number in found.items() if name != "python")
    if missing:
        return Check("libraries", ERROR, listed, "install Footnote again: pip install footnote")
    return Check("libraries", OK, listed)


def _kernels() -> Check:
    from engine.native import building

    kinds = [path.name.split("-")[1] for path in building.built()]
    best = building.library()
    if best is not None:
        taken = best.name.split("-")[1]
        return Check("kernels", OK, f"{taken} is taken of {', '.join(kinds)}")
    if not building.kinds(platform.machine()):
        return Check("kernels", NOTE, f"there are none for {platform.machine()}", "")
    found = "none fits this processor" if kinds else "none were compiled: another backend computes"
    remedy = "" if kinds else "install a C compiler (Debian: apt-get install gcc), then Footnote"
    return Check("kernels", NOTE, found, remedy)


def _lexer() -> Check:
    from indexer.attribution.native import building

    if building.library() is None:
        found = "was not compiled: texts are read at a fiftieth of the speed"
    elif None in map(building.library, building.KINDS):
        found = "compiled; what compares was not, or not all of it: texts are checked at a third of the speed"
    else:
        return Check("lexer", OK, "compiled")
    remedy = "install a C compiler (Debian: apt-get install gcc), then Footnote"
    return Check("lexer", NOTE, found, remedy)


def _data() -> Check:
    from indexer.home import data_home

    home = data_home()
    if not home.is_dir():
        return Check("data", NOTE, f"{home} does not exist yet", "")
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    return Check("data", OK, f"{home}, {size / 1e6:,.0f} MB")


def _model(model: str | None, backend: str, info: list[Any]) -> Check:
    import engine
    from engine.api import CancelToken, CompletionOptions, Gap, ModelUnavailable
    from engine.choice import FILE
    from indexer.home import data_home

    started = time.monotonic()
    try:
        # Compares the hashes that the folder gives.
        completer = engine.load(model, backend=backend, timings=data_home() / FILE)
    except ModelUnavailable as unavailable:
        found, _, remedy = str(unavailable).partition(": ")
        return Check("model", ERROR, found, remedy)
    loaded = time.monotonic()
    try:
        completer.complete(
            Gap("def add(a, b):\n    return ", "\n"), CompletionOptions(), CancelToken()
        )
        ready = time.monotonic()
        about = completer.describe()
    finally:
        completer.close()
    info[0] = about
    found = (
        f"{about.name}, {about.parameters / 1e6:.1f} M parameters, {about.device} {about.dtype} "
        f"by {about.backend or 'a script'}, "
        f"context {about.context:,}; loaded in {loaded - started:.1f} s, "
        f"first line in {(ready - loaded) * 1000:.0f} ms; {about.folder}"
        + (f"; {about.note}" if about.note else "")
    )
    return Check("model", OK, found)


def _backend(about: ModelInfo, asked: str) -> Check:
    """Which one runs the model, and why that one."""
    from engine.backends import LLAMA_CPP, Wish
    from engine.checkpoint import read_checkpoint
    from engine.choice import FILE, timings_of
    from indexer.home import data_home

    taken = Wish(about.backend, device=about.device).name
    if about.backend == LLAMA_CPP:
        return Check("backend", OK, f"{taken}, which runs GGUF files")
    if asked != "auto":
        return Check("backend", OK, f"{taken}, as asked")
    file = data_home() / FILE
    checkpoint = read_checkpoint(Path(about.folder), verify=False)
    timings = timings_of(file, checkpoint, Wish())
    if not timings:
        found = f"{taken}, the first in the usual order: the others were not timed here"
        return Check(
            "backend", OK, found, "footnote bench backends --remember, or let the editor rest"
        )
    listed = ", ".join(
        f"{Wish(each.backend, device=each.device).name} "
        + (f"{each.line_ms:.1f} ms" if not each.problem else f"({each.problem})")
        for each in timings
    )
    return Check("backend", OK, f"{taken}, by what a line took here: {listed}; kept in {file}")


def _corpus() -> Check:
    from indexer.home import corpus_folder
    from indexer.shards import CorpusUnavailable, open_shards

    try:
        manifest = open_shards(corpus_folder(), verify=True)
    except CorpusUnavailable as unavailable:
        # Serving needs the index alone.
        return Check("corpus", NOTE, str(unavailable).partition(": ")[0], "footnote setup")
    found = (
        f"{manifest.name} {manifest.corpus_hash[:12]} ({manifest.selection}), "
        f"{manifest.documents:,} documents, {manifest.bytes / 1e6:,.0f} MB, hashes verified"
    )
    if failed := manifest.meta.get("failed"):
        return Check("corpus", WARNING, f"{found}; {len(failed)} sources refused", "footnote setup")
    return Check("corpus", OK, found)


def _indexes(infos: dict[str, IndexInfo]) -> Iterator[Check]:
    from indexer.attribution.federation import places

    for place in places():
        yield _guarded("index", partial(_index, place.name, place.folder, infos))


def _index(name: str, folder: Path, infos: dict[str, IndexInfo]) -> Check:
    from indexer import AttributionIndex, IndexUnavailable
    from indexer.attribution.federation import PUBLIC
    from indexer.attribution.removal import read_removals

    try:
        about = AttributionIndex.open(folder).info()
    except IndexUnavailable as unavailable:
        found, _, remedy = str(unavailable).partition(": ")
        if name == PUBLIC:
            remedy = "footnote setup, or footnote setup --small"
        return Check("index", ERROR, found, remedy)
    infos[name] = about
    found = "" if name == PUBLIC else f"{name}, own code: "
    found += (
        f"corpus {about.corpus_hash[:12]} ({about.selection}), {about.packages} packages, "
        f"{about.documents:,} documents, {about.bytes / 1e6:,.0f} MB of text"
    )
    if not about.text:
        found += ", without the texts"
    if removed := read_removals(folder):
        found += f", {len(removed)} removals obeyed"
    return Check("index", OK, found)


def _together(model: ModelInfo, index: IndexInfo) -> Check:
    if not model.corpus_hash:
        found = "the model does not say what it was trained on, so a match is no proof of memory"
        return Check("together", NOTE, found)
    belongs = belonging(
        (model.corpus_hash, model.recipe_hash),
        (index.corpus_hash, index.recipe_hash),
        index.selection,
        parts=model.corpus_parts,
    )
    if belongs == "yes":
        return Check("together", OK, "the index covers what the model was trained on")
    if belongs == "subset":
        found = "the index covers a subset of what the model was trained on"
        if index.selection == "small":
            return Check("together", OK, found, "footnote setup for all of it")
        return Check("together", OK, f"{found}: not what it was fine-tuned on")
    found = (
        f"the index is of corpus {index.corpus_hash[:12]}, the model was trained on "
        f"{model.corpus_hash[:12]}: citations are incomplete"
    )
    return Check("together", WARNING, found, "footnote setup")


def _print(check: Check) -> None:
    print(f"{_MARKS[check.state]}  {check.name:<10} {check.found}")
    if check.remedy:
        print(f"{'':<15}-> {check.remedy}")
