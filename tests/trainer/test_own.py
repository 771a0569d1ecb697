"""One's own files in a run folder: some are held out, and a run keeps the files it began with."""

import json
from random import Random

import pytest

from indexer.curation.folders import NothingToRead
from indexer.shards import open_shards, read_documents
from tests.support.documents import document
from trainer.own import DROPPED, hold_out, snapshot

WORDS = "count limit value order table index node key path line start stop size left right".split()


def program(number: int) -> str:
    """A small file that resembles no other."""
    rng = Random(number)
    lines = []
    for _ in range(12):
        name, *rest = ("_".join(rng.choices(WORDS, k=3)) for _ in range(5))
        lines += [f"def {name}({rest[0]}, {rest[1]}):"]
        lines += [f"    {rest[2]} = {rest[0]} * {rest[3]} - {rest[1]}"]
        lines += [f"    return {rest[2]} if {rest[0]} > 1 else {rest[3]!r}", ""]
    return "\n".join(lines)


def write(folder, count, first=0):
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        (folder / f"module_{number}.py").write_text(program(number), encoding="utf-8")
    return folder


def test_a_part_of_each_language_is_held_out_and_never_trained_on():
    files = [document(program(number), f"a/{number}.py") for number in range(60)]
    files += [document(program(100 + n), f"a/{n}.ts", "typescript") for n in range(6)]

    learned, back = hold_out(files)

    assert [each.language for each in back] == ["python"] * 5 + ["typescript"] * 2
    assert not {each.sha256 for each in learned} & {each.sha256 for each in back}
    assert len(learned) + len(back) == 66
    assert hold_out(files) == (learned, back)


def test_few_files_are_all_trained_on():
    files = [document(program(number), f"a/{number}.py") for number in range(2)]

    assert hold_out(files) == (files, [])


def test_a_file_that_resembles_one_that_is_trained_on_is_no_measure():
    files = [document(program(1) + f"# {n}\n", f"a/{n}.py") for n in range(30)]

    assert len(hold_out(files)[1]) <= 1


def test_the_files_become_shards_with_a_list_of_what_was_dropped(tmp_path):
    folder = write(tmp_path / "project", 12)
    (folder / "picture.png").write_bytes(b"\x89PNG" * 30)

    own = snapshot([folder], [], tmp_path / "run", fresh=True)

    assert own.held_out_files == 3
    assert open_shards(own.training, verify=True).documents == 9
    assert {each.kind for each in read_documents(own.training)} == {"folder"}
    dropped = (own.training / DROPPED).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["reason"] for line in dropped] == ["not_source"]
    assert "1 not_source" in own.said
    assert "held out 3 files" in own.said
    assert str(tmp_path) not in (own.training / "manifest.json").read_text(encoding="utf-8")


def test_a_run_goes_on_with_the_files_it_was_begun_with(tmp_path):
    folder = write(tmp_path / "project", 6)
    first = snapshot([folder], [], tmp_path / "run", fresh=True)
    before = open_shards(first.training).corpus_hash
    write(folder, 4, first=6)

    again = snapshot([folder], [], tmp_path / "run", fresh=False)

    assert again == first
    assert open_shards(again.training).corpus_hash == before
    with pytest.raises(ValueError, match="other folders"):
        snapshot([folder / "module_1.py"], [], tmp_path / "run", fresh=False)
    with pytest.raises(ValueError, match="other folders"):
        snapshot([folder], ["python"], tmp_path / "run", fresh=False)
    assert open_shards(again.training).corpus_hash == before


def test_nothing_is_written_where_nothing_can_be_read(tmp_path):
    with pytest.raises(NothingToRead):
        snapshot([tmp_path / "nowhere"], [], tmp_path / "run", fresh=True)
    assert not (tmp_path / "run").exists()
