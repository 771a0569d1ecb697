"""The corpus laid out for training: whole, checked, shared, and made only once."""

import errno
from dataclasses import replace

import pytest

from indexer.shards import CorpusUnavailable, write_shards
from tests.support.documents import document
from tests.trainer.conftest import source
from trainer import texts
from trainer.config import DataRecipe, RecipeError
from trainer.texts import SourceFile, cache_folder, open_texts, texts_of
from trainer.visits import plan_visits


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "corpus", [document(source(n), f"pack/{n}.py") for n in range(6)])


def write(folder, documents):
    write_shards(folder, documents, meta={"name": "test"}, shard_bytes=2000)
    return folder


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_every_text_comes_back_as_it_was(tmp_path):
    odd = ["a = 'é\N{GRINNING FACE}'\r\n", "x\n" * 5000, "b"]
    folder = write(tmp_path / "corpus", [document(t, f"{n}.py") for n, t in enumerate(odd)])

    found = open_texts(folder)

    assert [found[n] for n in range(3)] == [
        SourceFile(text, f"{n}.py", "pack", "python") for n, text in enumerate(odd)
    ]


def test_files_without_text_are_left_out(tmp_path):
    folder = write(tmp_path / "corpus", [document(""), document("a = 1\n")])

    assert [each.text for each in open_texts(folder)] == ["a = 1\n"]


def test_the_layout_is_made_once_and_that_of_another_corpus_removed(folder, monkeypatch):
    open_texts(folder)
    (made,) = cache_folder(folder).glob("*.arrow")
    with monkeypatch.context() as context:
        context.setattr(texts, "_lay_out", None)
        open_texts(folder)
    write(folder, [document("b = 2\n")])

    assert [each.text for each in open_texts(folder)] == ["b = 2\n"]
    assert not made.exists()


def test_a_damaged_shard_is_named_with_its_remedy(folder):
    damage(folder / "shard-00001.parquet")

    with pytest.raises(CorpusUnavailable, match=r"shard-00001.parquet is damaged.*corpus build"):
        open_texts(folder)
    assert not list(cache_folder(folder).glob("*.arrow"))


def test_a_shard_that_was_damaged_later_is_found_too(folder):
    open_texts(folder)
    damage(folder / "shard-00000.parquet")

    with pytest.raises(CorpusUnavailable, match=r"shard-00000.parquet is damaged"):
        open_texts(folder)


def test_a_touched_shard_that_is_whole_is_no_reason_to_start_over(folder, monkeypatch):
    open_texts(folder)
    path = folder / "shard-00000.parquet"
    path.write_bytes(path.read_bytes())
    monkeypatch.setattr(texts, "_lay_out", None)

    assert len(open_texts(folder)) == 6


def test_a_layout_cut_short_is_made_again(folder):
    open_texts(folder)
    (made,) = cache_folder(folder).glob("*.arrow")
    made.write_bytes(made.read_bytes()[:100])

    assert len(open_texts(folder)) == 6


def test_a_full_disk_leaves_nothing_behind_and_says_how_much_room_it_takes(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(texts, "_batches", full)

    with pytest.raises(CorpusUnavailable, match=r"No space left.*make room"):
        open_texts(folder)
    assert [each.name for each in cache_folder(folder).iterdir()] == ["lock"]


def test_an_empty_corpus_says_so(tmp_path):
    with pytest.raises(CorpusUnavailable, match="is empty"):
        open_texts(write(tmp_path / "corpus", []))


def test_shards_of_something_else_are_refused(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from indexer.shards import _file_hash, open_shards

    path = folder / "shard-00000.parquet"
    before = _file_hash(path)
    pq.write_table(
        pa.table({"text": pa.array([b"\xff"], pa.binary()).cast(pa.string(), safe=False)}), path
    )
    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(manifest.replace(before, _file_hash(path)))
    open_shards(folder, verify=True)

    with pytest.raises(CorpusUnavailable, match=r"shard-00000.parquet does not hold source files"):
        open_texts(folder)


def test_siblings_are_the_files_of_one_package(documents):
    files = [SourceFile("x", f"{n}.py", "abc"[n % 3], "python") for n in range(9)]

    assert texts_of(files).siblings(4).tolist() == [1, 4, 7]


LANGUAGES = ["python"] * 10 + ["javascript"] * 10 + ["markdown"] * 10


def visits(**changes):
    found = texts_of(SourceFile("x", f"{n}", "p", each) for n, each in enumerate(LANGUAGES))
    return plan_visits(found.languages, replace(DataRecipe(), **changes))


def test_an_epoch_without_weights_visits_every_file_once():
    plan = visits()

    assert sorted(plan.order(0)) == sorted(plan.order(5)) == list(range(30))
    assert plan.order(0) != plan.order(1)


def test_weights_are_visits_per_epoch_and_go_round_before_they_repeat():
    plan = visits(weights={"python": 2.0, "markdown": 0.3, "javascript": 0.0})
    epochs = [plan.order(number) for number in range(10)]

    assert plan.length == len(epochs[0]) == 23
    assert all(sorted(n for n in epoch if n < 10) == sorted([*range(10)] * 2) for epoch in epochs)
    assert not any(10 <= n < 20 for epoch in epochs for n in epoch)
    three = [n for epoch in epochs[:3] for n in epoch if n >= 20]
    assert len(three) == len(set(three)) == 9
    ten = [n for epoch in epochs for n in epoch if n >= 20]
    assert all(ten.count(n) == 3 for n in range(20, 30))


def test_only_the_languages_asked_for_are_visited():
    assert sorted(visits(languages=("markdown",)).order(0)) == list(range(20, 30))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"languages": ("pyhton",)}, "pyhton"),
        ({"weights": {"pyhton": 1.0}}, "pyhton"),
        ({"languages": ("yaml",)}, "leave nothing of this corpus.*markdown"),
        ({"languages": ("python",), "weights": {"python": 0.0}}, "leave nothing"),
    ],
)
def test_what_leaves_nothing_or_is_misspelt_is_named(changes, named):
    with pytest.raises(RecipeError, match=named):
        visits(**changes)
