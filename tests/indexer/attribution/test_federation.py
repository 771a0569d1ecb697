"""Several indexes answer as one, each project's own code is no match for it, and a broken one is left out."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from indexer.attribution import schema
from indexer.attribution.federation import merged, open_indexes, places
from indexer.attribution.matches import Match, Source
from indexer.attribution.schema import IndexUnavailable
from indexer.commands import check, corpus, index, lookup
from tests.indexer.attribution.conftest import CLUSTER, FOREIGN, LEDGER, QUEUE
from tests.support import tiny_corpus

if TYPE_CHECKING:
    from pathlib import Path

OWN = tiny_corpus.INTERVALS


@pytest.fixture
def home(tmp_path: Path, built_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the corpus's index, which is not to be written to."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "index").symlink_to(built_home / "index")
    monkeypatch.setenv("FOOTNOTE_HOME", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a file of its own, and what is not to be indexed."""
    folder = tmp_path / "spans"
    for name, text in {
        "lib/intervals.py": f'"""Intervals."""\n\n{OWN}',
        "build.log.py": LEDGER,
        "node_modules/x.js": QUEUE,
        ".gitignore": "build.log.py\n",
        "pyproject.toml": '[project]\nname = "our-spans"\nlicense = "MIT"\n',
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for arguments in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://me:secret@example.org/us/spans.git"],
        ["add", "."],
        ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return folder


def build(*arguments: str) -> None:
    assert index.main(["build", "--jobs", "1", *arguments]) == 0


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_ones_own_code_is_found_beside_the_corpus(
    home: Path, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build("--from", str(project))
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(OWN + LEDGER)
    capsys.readouterr()

    assert check.main([str(elsewhere), "--format", "json"]) == 1
    first, second = printed(capsys)["files"][0]["matches"]
    revision = subprocess.run(
        ["git", "-C", str(project), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert second["source"]["package"] == "books"
    assert first["source"] == {
        "package": "our-spans", "version": revision, "path": "lib/intervals.py",
        "start_line": 3, "end_line": OWN.count("\n") + 2, "license": "MIT",
        "url": "https://example.org/us/spans",
    }  # fmt: skip


def test_what_git_ignores_and_others_folders_are_not_indexed(home: Path, project: Path) -> None:
    build("--from", str(project))
    (part,) = (part for name, part in open_indexes().parts.items() if name == "spans")

    assert [each.path for each in part.lookup("lib").files] == ["lib/intervals.py"]
    assert part.check_document(LEDGER, language="python") == []
    assert part.check_document(QUEUE, language="javascript") == []


@pytest.mark.parametrize("manifest", [True, False])
def test_a_project_is_no_match_for_itself(
    home: Path, project: Path, capsys: pytest.CaptureFixture[str], manifest: bool
) -> None:
    if not manifest:
        (project / "pyproject.toml").unlink()
    build("--from", str(project))

    assert check.main([str(project / "lib")]) == 0


def test_folders_of_one_name_and_projects_of_one_name_stay_apart(
    home: Path, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fork, other = tmp_path / "fork" / "spans", tmp_path / "other" / "spans"
    for folder, text, manifest in (
        (fork, LEDGER, '{"name": "our-spans"}'),
        (other, CLUSTER, '{"name": "others", "license": "ISC"}'),
    ):
        folder.mkdir(parents=True)
        (folder / "a.py").write_text(text)
        (folder / "package.json").write_text(manifest)
    build("--from", str(project), str(fork), str(other), "--name", "ours")
    capsys.readouterr()

    (tmp_path / "b.py").write_text(f"{OWN}\n\n{LEDGER}\n\n{CLUSTER}")
    assert check.main([str(tmp_path / "b.py"), "--index", "ours", "--format", "json"]) == 1
    sources = [each["source"] for each in printed(capsys)["files"][0]["matches"]]
    assert [(each["package"], each["license"]) for each in sources] == [
        ("our-spans", "MIT"), ("our-spans-2", "LicenseRef-Own"), ("others", "ISC"),
    ]  # fmt: skip


def test_a_second_build_takes_the_folders_of_the_first_as_they_are_now(
    home: Path, project: Path
) -> None:
    build("--from", str(project), "--name", "ours")
    (project / "lib" / "retry.js").write_text("// Ours.\n" + QUEUE)
    build("--name", "ours")
    found = open_indexes(["ours"]).check_document(QUEUE, language="javascript")

    assert [each.source.path for each in found] == ["lib/retry.js"]


def test_of_a_file_that_was_named_only_that_file_is_read_again(home: Path, project: Path) -> None:
    (project / "lib" / "retry.js").write_text(QUEUE)
    (project / "lib" / "ledger.py").write_text(LEDGER)
    file = project / "lib" / "ledger.py"
    build("--from", str(file))
    build("--from", str(file))
    build("--name", "ledger.py")
    own = open_indexes(["ledger.py"])

    assert own.info().paths == (str(file.resolve()),)
    assert own.check_document(LEDGER, language="python")
    assert own.check_document(QUEUE, language="javascript") == []


def test_a_small_index_is_told_in_words_that_fit(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.py").write_text(LEDGER)
    build("--from", str(tmp_path / "ledger.py"))
    told = capsys.readouterr()

    assert "1 document of 1 package, " in told.out
    assert " lines, 0.001 MB" in told.out
    assert "0/0" not in told.err


def test_an_index_is_not_replaced_by_one_of_another_project(
    home: Path, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build("--from", str(project))
    other = tmp_path / "other" / "spans"
    other.mkdir(parents=True)
    (other / "a.py").write_text(CLUSTER)

    assert index.main(["build", "--jobs", "1", "--from", str(other)]) == 2
    assert "--name" in capsys.readouterr().err
    assert index.main(["build", "--from", str(other), "--name", "public"]) == 2


def test_a_broken_index_is_left_out_and_said(
    home: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build("--from", str(project))
    (home / "indexes" / "spans" / "exact.keys").write_bytes(b"")
    capsys.readouterr()
    opened = open_indexes()

    assert list(opened.parts) == ["public"]
    (problem,) = opened.problems
    assert "footnote index build --from ... --name spans" in problem
    assert lookup.main(["books"]) == 0
    assert capsys.readouterr().err.count("damaged") == 1


def test_without_the_corpuss_index_ones_own_serves(home: Path, project: Path) -> None:
    build("--from", str(project))
    (home / "index").unlink()

    opened = open_indexes()
    assert (list(opened.parts), opened.problems) == (["spans"], ())
    assert opened.info().corpus == "spans"


def test_indexes_are_chosen_by_name_or_folder(home: Path, project: Path, built_home: Path) -> None:
    build("--from", str(project))

    assert [each.name for each in places()] == ["public", "spans"]
    assert list(open_indexes(["spans"]).parts) == ["spans"]
    assert list(open_indexes(["public"]).parts) == ["public"]
    assert open_indexes([str(built_home / "index")]).info().corpus == "tiny"
    with pytest.raises(IndexUnavailable, match="no attribution index"):
        open_indexes(["nothing"])


def test_lookups_texts_and_packages_span_the_indexes(home: Path, project: Path) -> None:
    build("--from", str(project))
    both = open_indexes()
    (match,) = both.check_document(OWN, language="python")

    assert {each.name for each in both.packages()} >= {"books", "our-spans"}
    assert both.source_text(match.source) == f'"""Intervals."""\n\n{OWN}'
    assert both.lookup("our_spans").packages[0].license == "MIT"
    assert both.lookup_text(QUEUE)[0].package.name == "patience"
    assert match.index == "spans"
    assert both.check_completion(FOREIGN, OWN[:600], "", language="python")[0].index == "spans"


def match(lines: tuple[int, int], package: str, tokens: int, tier: str = "warning") -> Match:
    return Match(
        *lines, tier, "verbatim", 1.0, tokens, Source(package, "1", "a.py", 1, 9, "MIT", "")
    )


def test_matches_of_several_indexes_are_ranked_together() -> None:
    best, weaker = match((10, 30), "best", 200), match((12, 20), "weaker", 90)
    as_good, hint = match((10, 29), "as-good", 190), match((10, 30), "hint", 400, "information")
    elsewhere = match((40, 50), "elsewhere", 80)

    first, second = merged([weaker, elsewhere, hint, as_good, best])

    assert (first.source.package, second) == ("best", elsewhere)
    assert {each.package for each in first.others} == {"as-good", "hint"}


def test_one_place_in_two_indexes_counts_once() -> None:
    twice = [match((1, 9), "same", 100), match((1, 9), "same", 100)]

    assert merged(twice) == [twice[0]]


def test_index_info_tells_about_each(
    home: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build("--from", str(project), "--without-text")
    capsys.readouterr()

    assert index.main(["info", "--verify"]) == 0
    said = capsys.readouterr().out
    assert "public: index of tiny" in said
    assert f"from {project}" in said
    assert "without texts" in said
    assert index.main(["info", "--json", "--name", "spans"]) == 0
    assert (printed(capsys)["text"]) is False


def test_removing_is_said_can_be_undone_and_reaches_the_named_index_only(
    home: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build("--from", str(project))
    own = home / "indexes" / "spans"

    assert index.main(["remove", "nothing", "--name", "spans"]) == 1
    assert index.main(["remove", "Our-Spans", "--name", "spans"]) == 0
    assert "spans: 1 file of Our-Spans no longer reported" in capsys.readouterr().out
    assert open_indexes().check_document(OWN, language="python") == []
    assert index.main(["remove", "Our-Spans", "--name", "spans", "--undo"]) == 0
    assert open_indexes().check_document(OWN, language="python")
    index.main(["remove", "our-spans", "--path", "lib/*", "--name", "spans"])
    assert index.main(["compact", "--name", "spans", "--jobs", "1"]) == 0
    assert schema.read_info(own).documents == 0
    assert (own / schema.NOTES).is_file()


def test_opting_out_of_the_corpus_silences_the_index_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))
    assert corpus.main(["optout", "spans"]) == 0
    tiny_corpus.build(tmp_path)
    assert corpus.main(["optout", "spans", "spans/intervals.py"]) == 0

    assert "1 files of it no more" in capsys.readouterr().out
    assert open_indexes().check_document(OWN, language="python") == []
    build()
    assert schema.read_info(tmp_path / "index").documents == 0
