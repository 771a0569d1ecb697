"""The whole build over tiny folders."""

import hashlib
import io
import json
import tarfile

import pytest

from indexer.commands import corpus as command
from indexer.curation import building
from indexer.curation.parameters import Parameters
from indexer.curation.reports import dropped_files
from indexer.curation.sources import read_recipe
from indexer.home import corpus_folder, downloads_folder, held_out_folder
from indexer.shards import open_shards, read_documents

HELD_OUT = "\n".join(f"def held_{k}(value):\n    return value + {k}" for k in range(30)) + "\n"
MODULE = (
    "\n".join(f"def part_{k}(value, other):\n    return value * other - {k}" for k in range(30))
    + "\n"
)
SECRET = "contact = 'ann.lee@posteo.de'  # write to the author of this little module\n"

TREES = {
    "one": {
        "one/module.py": MODULE,
        "one/mail.py": SECRET,
        "one/tiny.py": "x = 1\n",
        "one/gpl.py": "# GNU General Public License\n" + MODULE.replace("part", "gpl"),
        "one/image.png": "not text " * 20,
        "one/_vendor/other.py": MODULE.replace("part", "vendor"),
        "one/latin.py": "# caf\udce9\n" + MODULE.replace("part", "latin"),
        "one/windows.py": MODULE.replace("part", "windows").replace("\n", "\r\n"),
    },
    "two": {
        "two/copy.py": MODULE,
        "two/near.py": MODULE.replace("part_7(value", "part_7(changed"),
        "two/own.py": MODULE.replace("part", "own").replace("value", "amount"),
        "two/borrowed.py": HELD_OUT + "print(held_1)\n",
        "two/header.py": "# SPDX-License-Identifier: Apache-2.0\n" + MODULE.replace("part", "spdx"),
    },
    "out": {"out/api.py": HELD_OUT},
}


class Silent:
    def stage(self, name, total):
        pass

    def step(self, label, amount):
        pass


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "home"))
    for name, tree in TREES.items():
        for path, text in tree.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
    write_manifest(tmp_path)
    return tmp_path


def write_manifest(folder, **sha256):
    head = '[corpus]\nname = "tiny"\nversion = "1"\nlicenses = ["MIT", "Apache-2.0"]'
    tables = (
        f'[[{"held_out" if name == "out" else "source"}]]\nkind = "folder"\nname = "{name}"\n'
        f'version = "1"\nfile = "{name}"\nlicense = "MIT"\nsmall = {str(name == "one").lower()}\n'
        f'sha256 = "{sha256.get(name, "")}"'
        for name in TREES
    )
    (folder / "corpus.toml").write_text("\n".join((head, *tables)))


def build(folder, **options):
    recipe = read_recipe(folder / "corpus.toml")
    return building.build(building.Plan(recipe, Parameters(), **options), Silent())


def reasons():
    rows = dropped_files(corpus_folder(), reason=None, package=None, path=None)
    return {row["path"]: row["reason"] for row in rows}


def kept():
    return {document.path: document for document in read_documents(corpus_folder())}


def test_every_file_is_kept_or_dropped_for_a_reason(home):
    outcome = build(home)
    assert set(kept()) == {"one/module.py", "one/mail.py", "one/windows.py", "two/own.py",
                           "two/header.py"}  # fmt: skip
    assert reasons() == {
        "one/tiny.py": "too_small",
        "one/gpl.py": "license_header",
        "one/image.png": "not_source",
        "one/_vendor/other.py": "vendored",
        "one/latin.py": "not_utf8",
        "two/copy.py": "exact_duplicate",
        "two/near.py": "near_duplicate",
        "two/borrowed.py": "near_held_out",
    }
    files = sum(len(tree) for name, tree in TREES.items() if name != "out")
    counted = sum(count for count, _ in outcome.manifest.meta["dropped"].values())
    assert outcome.manifest.documents + counted == files
    assert outcome.failed == ()


def test_documents_carry_their_provenance(home):
    build(home)
    documents = kept()
    module, header = documents["one/module.py"], documents["two/header.py"]
    assert (module.package, module.version, module.kind, module.language) == (
        "one", "1", "folder", "python")  # fmt: skip
    assert (module.license, module.license_source) == ("MIT", "manifest")
    assert (header.license, header.license_source) == ("Apache-2.0", "header")
    assert module.url == "pkg:generic/one@1"
    assert module.sha256 == hashlib.sha256(module.text.encode()).hexdigest()
    assert "\r" not in documents["one/windows.py"].text


def test_redactions_are_made_and_counted(home):
    outcome = build(home)
    assert "<EMAIL>" in kept()["one/mail.py"].text
    assert outcome.manifest.meta["redactions"] == {"email": 1}


def test_the_held_out_set_stands_apart(home):
    build(home)
    assert [document.path for document in read_documents(held_out_folder())] == ["out/api.py"]
    assert open_shards(held_out_folder(), verify=True).meta["packages"][0]["name"] == "out"


def test_more_processes_make_the_same_corpus(home, monkeypatch):
    first = build(home).manifest
    monkeypatch.setenv("FOOTNOTE_HOME", str(home / "other"))
    second = build(home, jobs=2).manifest
    assert second.corpus_hash == first.corpus_hash
    assert second.shards == first.shards
    assert second.meta == first.meta


def test_a_killed_build_does_only_what_is_missing(home, monkeypatch):
    first = build(home).manifest
    markers = {
        path.name.split("-")[1]: path for path in (home / "home/work").rglob("folder-*.json")
    }
    markers["two"].unlink()
    done = []

    def counted(task):
        done.append(task.source.name) if not task.marker.exists() else None
        return refine(task)

    refine = building.refine
    monkeypatch.setattr(building, "refine", counted)
    assert build(home).manifest.corpus_hash == first.corpus_hash
    assert done == ["two"]


def test_ranks_share_the_first_stage(home, monkeypatch):
    outcomes = [build(home, rank=rank, of=2) for rank in range(2)]
    assert [outcome.manifest for outcome in outcomes] == [None, None]
    assert not corpus_folder().exists()
    monkeypatch.setattr(building, "_try", lambda task: json.loads(task.marker.read_text()))
    shared = build(home).manifest
    monkeypatch.undo()
    monkeypatch.setenv("FOOTNOTE_HOME", str(home / "alone"))
    assert build(home).manifest.corpus_hash == shared.corpus_hash


def test_a_wrong_hash_is_refused_and_the_rest_is_built(home):
    write_manifest(home, two="0" * 64)
    outcome = build(home)
    assert len(outcome.failed) == 1
    assert "folder:two@1" in outcome.failed[0]
    assert {document.package for document in kept().values()} == {"one"}
    assert outcome.manifest.meta["failed"] == list(outcome.failed)


def test_an_unreadable_archive_is_refused_and_the_rest_is_built(home):
    data = b"no tarball"
    downloads = downloads_folder() / "npm"
    downloads.mkdir(parents=True)
    (downloads / "x.tgz").write_bytes(data)
    with (home / "corpus.toml").open("a") as manifest:
        manifest.write(
            '\n[[source]]\nkind = "npm"\nname = "x"\nversion = "1"\nfile = "x.tgz"\n'
            f'sha256 = "{hashlib.sha256(data).hexdigest()}"\nlicense = "MIT"\n'
        )
    outcome = build(home)
    assert len(outcome.failed) == 1
    assert "npm:x@1: x.tgz cannot be read" in outcome.failed[0]
    assert outcome.manifest.documents == 5


def test_an_npm_package_tells_its_home(home):
    files = {"package/package.json": '{"repository": "a/b", "description": "words for people"}',
             "package/index.js": "export function double(value) {\n  return value + value;\n}\n"}  # fmt: skip
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    downloads = downloads_folder() / "npm"
    downloads.mkdir(parents=True)
    (downloads / "x.tgz").write_bytes(buffer.getvalue())
    with (home / "corpus.toml").open("a") as manifest:
        manifest.write(
            '\n[[source]]\nkind = "npm"\nname = "x"\nversion = "1"\nfile = "x.tgz"\n'
            f'sha256 = "{hashlib.sha256(buffer.getvalue()).hexdigest()}"\nlicense = "MIT"\n'
        )
    build(home)
    assert kept()["index.js"].url == "https://github.com/a/b"


def test_a_licence_outside_the_set_drops_the_package(home):
    path = home / "corpus.toml"
    path.write_text(path.read_text().replace('license = "MIT"', 'license = "MPL-2.0"', 1))
    build(home)
    assert {path: reason for path, reason in reasons().items() if reason == "license"} == {
        "one/module.py": "license", "one/mail.py": "license", "one/gpl.py": "license",
        "one/windows.py": "license"}  # fmt: skip


def test_small_builds_the_marked_sources(home):
    manifest = build(home, small=True).manifest
    assert manifest.selection == "small"
    assert {document.package for document in kept().values()} == {"one"}


def test_opted_out_files_go_at_the_next_build(home, capsys):
    build(home)
    assert command.main(["optout", "two", "two/own.py"]) == 0
    assert "footnote corpus build" in capsys.readouterr().out
    build(home)
    assert reasons()["two/own.py"] == "opted_out"


def test_near_code_is_capped(home):
    for k in range(50):
        text = f"# Title {k}\n\n" + f"word{k} other{k} more{k} last{k}\n" * 2
        (home / "one" / f"doc{k}.md").write_text(text)
    manifest = build(home).manifest
    assert 0 < manifest.languages["markdown"][1] <= 0.02 * manifest.bytes
    assert "language_cap" in reasons().values()


def test_parquet_data_sets_can_be_sources(home):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"content": MODULE.replace("part", "row"), "path": "r/a.py", "license": "Apache-2.0"},
            {"content": MODULE.replace("part", "gnu"), "path": "r/b.py", "license": "GPL-3.0"},
            {"content": "\x89PNG", "path": "r/c.png", "license": "MIT"}]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), home / "data.parquet")
    digest = hashlib.sha256((home / "data.parquet").read_bytes()).hexdigest()
    with (home / "corpus.toml").open("a") as manifest:
        manifest.write(
            '\n[[source]]\nkind = "parquet"\nname = "rows"\nversion = "1"\nfile = "data.parquet"\n'
            f'sha256 = "{digest}"\nlicense = "MIT"\n'
        )
    build(home)
    assert kept()["r/a.py"].license == "Apache-2.0"
    assert reasons()["r/b.py"] == "license"
    assert reasons()["r/c.png"] == "not_source"


class TestCommand:
    """`footnote corpus`, from the outside."""

    def test_build_then_stats_and_inspect(self, home, capsys):
        manifest = str(home / "corpus.toml")
        assert command.main(["build", "--manifest", manifest, "--jobs", "1"]) == 0
        assert "5 documents" in capsys.readouterr().out

        assert command.main(["stats"]) == 0
        table = capsys.readouterr().out
        assert "python" in table
        assert "license_header" in table
        assert command.main(["stats", "--json"]) == 0
        values = json.loads(capsys.readouterr().out)
        assert values["documents"] == sum(row["files"] for row in values["languages"])
        assert values["licenses"] == [
            {"license": "MIT", "packages": 2, "files": 5, "bytes": values["bytes"]}
        ]

        assert command.main(["inspect", "--dropped", "vendored"]) == 0
        assert capsys.readouterr().out == "vendored\tone 1 one/_vendor/other.py\t_vendor\n"
        assert command.main(["inspect", "--package", "two", "--json", "own.py"]) == 0
        assert json.loads(capsys.readouterr().out)["text"].startswith("def own_0")
        assert command.main(["inspect", "--dropped", "--package", "nobody"]) == 1

    def test_a_refused_source_is_told_and_exits_1(self, home, capsys):
        write_manifest(home, one="0" * 64)
        assert command.main(["build", "--manifest", str(home / "corpus.toml"), "--jobs", "1"]) == 1
        assert "refused folder:one@1" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["stats"], "run `footnote setup` or `footnote corpus build`"),
            (["inspect"], "no corpus at"),
            (["inspect", "--dropped"], "run `footnote corpus build`"),
            (["build", "--manifest", "nowhere.toml"], "no manifest at"),
            (["build", "--rank", "2", "--of", "2"], "--rank counts from 0"),
        ],
    )
    def test_what_cannot_be_done_says_what_to_do(self, home, capsys, arguments, words):
        assert command.main(arguments) == 2
        assert words in capsys.readouterr().err

    def test_fingerprints_of_nothing_are_empty(self, home, capsys):
        output = home / "f.npz"
        assert command.main(["fingerprints", str(home), "-o", str(output)]) == 0
        assert "0 exercises" in capsys.readouterr().out
        assert output.is_file()
