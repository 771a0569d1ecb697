"""An index is built aside, swapped in whole, and refused when it is not what it should be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from indexer.attribution import builder, schema
from indexer.attribution.builder import Plan, build_index
from indexer.attribution.index import AttributionIndex
from indexer.attribution.parts import Part, Task, make_part
from indexer.attribution.schema import IndexUnavailable
from indexer.shards import CorpusUnavailable
from tests.indexer.attribution.conftest import DOCUMENTS, LEDGER, document, write_corpus

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_corpus(tmp_path, DOCUMENTS)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    return tmp_path


def remains(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if path.name not in {"corpus", "index"})


def only_parts(home: Path) -> bool:
    return all(name.startswith(".index~parts-") for name in remains(home))


def in_parts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus again, in slices of one document."""
    monkeypatch.setattr("indexer.shards._BATCH_BYTES", 1)
    write_corpus(home, DOCUMENTS)


def files_of(home: Path) -> dict[str, bytes]:
    folder = home / "index"
    records = {"index.json"}  # which names the files of tantivy, other ones each time
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name not in records
    }


def test_the_record_names_the_corpus_and_every_file(home: Path) -> None:
    info = AttributionIndex.open(home / "index").info()

    assert (info.corpus, info.recipe_hash, info.selection) == ("tiny", "recipe", "small")
    assert (info.documents, info.packages) == (3, 3)
    assert info.bytes == sum(each.size for each in DOCUMENTS)
    assert info.size_without_text < info.size
    assert remains(home) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from indexer import replacing
from indexer.attribution.builder import Plan, build_index

home, at, exchange = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "exchange"
seen = 0

def step(event, args):
    global seen
    if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"} and str(home) in str(args[0]):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

if not exchange:
    replacing._exchanged = lambda one, other: False
sys.addaudithook(step)
build_index(home / "corpus", home / "index", jobs=1)
print(seen)
"""


def build_killed_at(home: Path, step: int, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(home), str(step), how]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("how", ["exchange", "two renames"])
def test_a_build_that_is_killed_at_any_step_leaves_an_index_that_serves(
    home: Path, how: str
) -> None:
    steps = int(build_killed_at(home, -1, how).stdout)
    # The last steps are the exchange and what is cleared away after it.
    for step in [1, steps // 4, steps // 2, *range(steps - 12, steps, 4)]:
        assert build_killed_at(home, step, how).returncode == -signal.SIGKILL

        index = AttributionIndex.open(home / "index")
        assert index.check_document(LEDGER, language="python")
        schema.verify(home / "index", index.info(), fully=True)
        for parts in home.glob(".index~parts-*"):  # or the next build would have less to do
            shutil.rmtree(parts)

    build_index(home / "corpus", home / "index", jobs=1)
    assert remains(home) == []


def test_a_failing_build_leaves_the_old_index_and_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(builder, "make_part", fail)
    with pytest.raises(KeyboardInterrupt):
        build_index(home / "corpus", home / "index", jobs=1)

    assert AttributionIndex.open(home / "index").check_document(LEDGER, language="python")
    assert only_parts(home)


def test_what_a_stopped_build_finished_is_not_done_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(home, monkeypatch)
    build_index(home / "corpus", home / "index", jobs=1)
    whole = files_of(home)
    made: list[str] = []

    def make(task: Task, last: int = 2) -> Part:
        if len(made) == last:
            raise KeyboardInterrupt
        made.append(task.folder.name)
        return make_part(task)

    monkeypatch.setattr(builder, "make_part", make)
    with pytest.raises(KeyboardInterrupt):
        build_index(home / "corpus", home / "index", jobs=1)
    monkeypatch.setattr(
        "indexer.attribution.parts.read_slice", lambda *_: pytest.fail("read again")
    )
    monkeypatch.setattr(builder, "make_part", make_part)
    with pytest.raises(pytest.fail.Exception):  # the third part was not made
        build_index(home / "corpus", home / "index", jobs=1)
    monkeypatch.undo()
    build_index(home / "corpus", home / "index", jobs=1)

    assert made == ["part-00000", "part-00001"]
    assert files_of(home) == whole
    assert remains(home) == []


def test_a_build_leaves_another_one_its_parts(home: Path) -> None:
    build_index(home / "corpus", home / "index", Plan(jobs=1, rank=0, of=2))
    (parts,) = home.glob(".index~parts-*")
    (parts / "owner-other").write_text(str(os.getppid()))
    build_index(home / "corpus", home / "index", jobs=1)

    assert sorted(path.name for path in parts.iterdir()) == ["owner-other", "part-00000"]


def test_a_part_that_was_half_written_is_made_again(home: Path) -> None:
    whole = files_of(home)
    build_index(home / "corpus", home / "index", Plan(jobs=1, rank=0, of=2))
    (parts,) = home.glob(".index~parts-*")
    (part,) = parts.glob("part-*")
    part.rename(parts / f".{part.name}.1")
    (parts / f".{part.name}.1" / "part.json").unlink()
    build_index(home / "corpus", home / "index", jobs=1)

    assert files_of(home) == whole
    assert remains(home) == []


def test_ranks_share_the_parts_and_the_last_run_merges_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts(home, monkeypatch)
    build_index(home / "corpus", home / "index", jobs=1)
    whole = files_of(home)
    for rank in range(2):
        assert build_index(home / "corpus", home / "index", Plan(jobs=1, rank=rank, of=2)) is None
    monkeypatch.setattr(
        "indexer.attribution.parts.read_slice", lambda *_: pytest.fail("read again")
    )
    build_index(home / "corpus", home / "index", jobs=1)

    assert files_of(home) == whole


def test_a_missing_corpus_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnavailable, match="footnote"):
        build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)

    assert not (tmp_path / "index").exists()


def test_an_empty_corpus_has_an_index_that_finds_nothing(tmp_path: Path) -> None:
    write_corpus(tmp_path, [])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)

    assert AttributionIndex.open(tmp_path / "index").check_document(LEDGER, language="python") == []


def test_progress_counts_the_bytes_of_the_corpus(home: Path) -> None:
    told: list[tuple[int, int]] = []
    info = build_index(
        home / "corpus",
        home / "index",
        jobs=1,
        progress=lambda done, total: told.append((done, total)),
    )

    assert told[-1] == (info.bytes, info.bytes)


def test_a_missing_index_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="footnote index build"):
        AttributionIndex.open(tmp_path / "index")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "another format"),
        ({"lexer_hash": "0"}, "another lexer"),
        ({"files": 3}, "damaged"),
    ],
)
def test_a_foreign_record_is_refused(home: Path, change: dict[str, object], said: str) -> None:
    record = home / "index" / schema.RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))

    with pytest.raises(IndexUnavailable, match=f"{said}.*footnote index build"):
        AttributionIndex.open(home / "index")


@pytest.mark.parametrize("name", ["exact.keys", "packages.json", "text.blocks", "chunks/meta.json"])
@pytest.mark.parametrize("harm", ["gone", "short", "changed", "empty"])
def test_a_damaged_file_is_refused_or_at_least_found(home: Path, name: str, harm: str) -> None:
    path = home / "index" / name
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        changed = bytes([data[0] ^ 255]) + data[1:]
        path.write_bytes({"short": data[:-1], "changed": changed, "empty": b""}[harm])

    info = schema.read_info(home / "index")
    with pytest.raises(IndexUnavailable, match="footnote index build"):
        schema.verify(home / "index", info, fully=True)
    with pytest.raises(IndexUnavailable, match="footnote index build"):
        AttributionIndex.open(home / "index")


def test_damage_that_shows_while_serving_is_said_and_nothing_crashes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "HASHED_AT_OPEN", 0)
    rng = Random(3)
    said = 0
    for name in ("exact.starts", "exact.keys", "exact.lines", "files.npy", "text.blocks") * 4:
        path = home / "index" / name
        whole = path.read_bytes()
        harmed = bytearray(whole)
        for _ in range(20):
            at = rng.randrange(len(whole))
            harmed[at] ^= 1 << rng.randrange(8)
        path.write_bytes(harmed)
        try:
            AttributionIndex.open(home / "index").check_document(LEDGER, language="python")
        except IndexUnavailable as unavailable:
            said += "footnote index build" in str(unavailable)
        path.write_bytes(whole)

    assert said


@pytest.mark.parametrize("data", [b"\xff{", b"[" * 100_000], ids=["no text", "deeply nested"])
def test_the_record_that_is_no_json_is_refused(home: Path, data: bytes) -> None:
    (home / "index" / schema.RECORD).write_bytes(data)

    with pytest.raises(IndexUnavailable, match="cannot be read"):
        AttributionIndex.open(home / "index")


def test_an_interrupted_build_ends_quietly_and_leaves_the_old_index(home: Path) -> None:
    texts = "\n".join(
        f"def function_{n}(value):\n    return value.part_{n} + {n}" for n in range(20000)
    )
    write_corpus(home, [document(f"number = {n}\n" + texts, f"{n}.py", "large") for n in range(40)])
    script = "import sys; from indexer.commands.index import main; sys.exit(main(['build', '--jobs', '2']))"
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "FOOTNOTE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not remains(home) and child.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate()

    assert child.returncode != 0
    assert errors.count("Traceback") <= 1, "the workers say nothing"
    assert only_parts(home)
    assert AttributionIndex.open(home / "index").check_document(LEDGER, language="python")
