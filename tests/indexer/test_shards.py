"""Shards come back as they went in, or are refused."""

import json
from dataclasses import replace

import pytest

from indexer.shards import MANIFEST, CorpusUnavailable, open_shards, read_documents, write_shards
from tests.support import documents

META = {"name": "tiny", "recipe_hash": "r", "selection": "small", "dropped": {"literals": [1, 2]}}


def document(number, text=None, language="python"):
    return documents.document(
        f"x = {number}\n" if text is None else text, f"a/{number}.py", language, "p"
    )


DOCUMENTS = [document(0), document(1, "é\n" * 40), document(2, "# hi", "markdown"), document(3)]


def test_documents_come_back_in_order_across_shards(tmp_path):
    manifest = write_shards(tmp_path / "c", DOCUMENTS, meta=META, shard_bytes=20)
    assert [shard.documents for shard in manifest.shards] == [2, 2]
    assert list(read_documents(tmp_path / "c")) == DOCUMENTS


def test_the_manifest_counts_bytes_of_utf8(tmp_path):
    write_shards(tmp_path / "c", DOCUMENTS, meta=META)
    manifest = open_shards(tmp_path / "c", verify=True)
    assert manifest.languages == {"markdown": (1, 4), "python": (3, 132)}
    assert (manifest.documents, manifest.bytes, manifest.selection) == (4, 136, "small")
    assert manifest.meta == {"dropped": {"literals": [1, 2]}}


def test_the_corpus_hash_sees_content_names_and_order_but_not_sharding(tmp_path):
    def made(documents, shard_bytes=1 << 20):
        return write_shards(
            tmp_path / "c", documents, meta=META, shard_bytes=shard_bytes
        ).corpus_hash

    first = made(DOCUMENTS)
    assert made(DOCUMENTS, shard_bytes=1) == first
    assert made(DOCUMENTS[::-1]) != first
    assert made([replace(DOCUMENTS[0], version="2"), *DOCUMENTS[1:]]) != first
    assert made([replace(DOCUMENTS[0], sha256="0"), *DOCUMENTS[1:]]) != first


def test_two_writes_give_the_same_bytes(tmp_path):
    hashes = [write_shards(tmp_path / name, DOCUMENTS, meta=META).shards for name in "ab"]
    assert hashes[0] == hashes[1]


def test_columns_not_asked_for_stay_empty(tmp_path):
    write_shards(tmp_path / "c", DOCUMENTS, meta=META)
    first = next(read_documents(tmp_path / "c", ["path"]))
    assert (first.path, first.text) == ("a/0.py", "")


def test_an_empty_corpus_is_a_corpus(tmp_path):
    manifest = write_shards(tmp_path / "c", [], meta=META)
    assert (manifest.documents, manifest.shards) == (0, ())
    assert list(read_documents(tmp_path / "c")) == []


def test_a_failed_write_leaves_the_old_shards_and_nothing_beside(tmp_path):
    write_shards(tmp_path / "c", DOCUMENTS, meta=META)

    def breaking():
        yield document(9)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shards(tmp_path / "c", breaking(), meta=META)
    assert list(read_documents(tmp_path / "c")) == DOCUMENTS
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_attachments_move_in_with_the_shards(tmp_path):
    (tmp_path / "d").write_text("dropped")
    write_shards(tmp_path / "c", DOCUMENTS, meta={**META, "attachments": {"d.txt": tmp_path / "d"}})
    assert (tmp_path / "c" / "d.txt").read_text() == "dropped"
    assert "attachments" not in open_shards(tmp_path / "c").meta


def _missing(folder):
    return folder / "nowhere"


def _no_shard(folder):
    (folder / "shard-00000.parquet").unlink()
    return folder


def _flipped(folder):
    path = folder / "shard-00000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return folder


def _other_format(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": 99}))
    return folder


def _cut_manifest(folder):
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text[: len(text) // 2])
    return folder


def _lacking_key(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["corpus_hash"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_missing, "no corpus at"),
        (_no_shard, "is missing"),
        (_flipped, "its hash differs"),
        (_other_format, "another format"),
        (_cut_manifest, "cannot be read"),
        (_lacking_key, "is damaged"),
    ],
)
def test_damage_is_named_with_a_remedy(tmp_path, damage, words):
    write_shards(tmp_path / "c", DOCUMENTS, meta=META)
    with pytest.raises(CorpusUnavailable, match=words) as caught:
        open_shards(damage(tmp_path / "c"), verify=True)
    assert "footnote setup" in str(caught.value)


def test_reading_a_cut_shard_names_it(tmp_path):
    write_shards(tmp_path / "c", DOCUMENTS, meta=META)
    path = tmp_path / "c" / "shard-00000.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorpusUnavailable, match=r"shard-00000\.parquet is damaged"):
        list(read_documents(tmp_path / "c"))
