"""What is fetched is what was pinned, or it is refused."""

import errno
import hashlib
import subprocess
import sys

import pytest

from indexer.curation import fetching
from indexer.curation.fetching import (
    DiskFull,
    FetchError,
    archive_path,
    fetch,
    fetch_all,
    folder_hash,
)
from indexer.curation.sources import Source, default_manifest, read_recipe


def source(data=b"wheel", kind="pypi", **changes):
    values = {
        "kind": kind,
        "name": "a",
        "version": "1",
        "file": "a.whl",
        "sha256": hashlib.sha256(data).hexdigest(),
        "license": "MIT",
    }
    return Source(**{**values, **changes})


@pytest.fixture
def client(monkeypatch):
    """A client that writes what the test says, and counts its calls."""
    calls = []

    def run(source, command, folder):
        calls.append(command)
        (folder / "a.whl").write_bytes(b"wheel")
        return ""

    monkeypatch.setattr(fetching, "_run", run)
    return calls


def test_a_download_lies_under_its_name_and_is_not_fetched_twice(tmp_path, client):
    for _ in range(2):
        path = fetch(source(), tmp_path)
    assert path == tmp_path / "pypi" / "a.whl"
    assert path.read_bytes() == b"wheel"
    assert len(client) == 1
    assert [each.name for each in path.parent.iterdir()] == ["a.whl"]


def test_a_wrong_file_is_refused_named_and_deleted(tmp_path, client):
    with pytest.raises(FetchError, match=r"pypi:a@1: a\.whl has SHA-256 .* refused and deleted"):
        fetch(source(b"other"), tmp_path)
    assert list((tmp_path / "pypi").iterdir()) == []


def test_a_spoilt_download_is_refused_as_well(tmp_path, client):
    (tmp_path / "pypi").mkdir()
    (tmp_path / "pypi" / "a.whl").write_bytes(b"cut")
    with pytest.raises(FetchError, match="refused"):
        fetch(source(), tmp_path)
    assert fetch(source(), tmp_path).read_bytes() == b"wheel"


def test_another_file_than_the_pinned_one_is_named(tmp_path, client):
    with pytest.raises(FetchError, match=r"expected b\.whl, was given a\.whl"):
        fetch(source(file="b.whl"), tmp_path)
    assert len(client) == 3  # registries fail now and then


def test_pip_is_told_to_take_wheels_only_and_for_every_machine_alike(tmp_path, client):
    fetch(source(), tmp_path)
    command = client[0]
    assert {"--no-deps", "--only-binary=:all:", "manylinux_2_28_x86_64", "3.11"} <= set(command)
    assert command[-1] == "a==1"


def test_npm_runs_no_scripts(tmp_path, client):
    if not fetching.shutil.which("npm"):
        pytest.skip("npm is not installed")
    fetch(source(kind="npm"), tmp_path)
    assert "--ignore-scripts" in client[0]


def test_one_failure_does_not_stop_the_others(tmp_path, client):
    bad = source(name="bad", file="b.whl")
    results = {each.source.name: each for each in fetch_all([bad, source()], tmp_path)}
    assert results["a"].path == tmp_path / "pypi" / "a.whl"
    assert results["bad"].path is None
    assert "b.whl" in results["bad"].error


@pytest.mark.parametrize(
    "says", ["OSError: [Errno 28] No space left on device", "npm error code ENOSPC"]
)
def test_a_full_disk_is_said_once_and_ends_it(tmp_path, monkeypatch, says):
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", says)

    monkeypatch.setattr(fetching.subprocess, "run", run)
    sources = [source(name=f"p{number}", file=f"{number}.whl") for number in range(60)]
    with pytest.raises(DiskFull, match=r"no space is left .* run the same command again"):
        list(fetch_all(sources, tmp_path))
    assert len(asked) <= 2 * fetching.PARALLEL  # those of the test before may still come in


def test_a_folder_that_cannot_be_made_for_want_of_space_is_a_full_disk_too(tmp_path, monkeypatch):
    def mkdir(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching.Path, "mkdir", mkdir)
    with pytest.raises(DiskFull):
        list(fetch_all([source()], tmp_path))


def test_a_failing_client_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setattr(
        fetching, "_pip_client", lambda: [sys.executable, "-c", "exit('no such package')"]
    )
    with pytest.raises(FetchError, match="no such package"):
        fetch(source(), tmp_path)


def test_folders_are_checked_when_they_are_pinned(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    pinned = source(kind="folder", file=str(folder), sha256=folder_hash(folder))
    assert fetch(pinned, tmp_path) == folder
    (folder / "a.py").write_text("x = 2\n")
    with pytest.raises(FetchError, match="pinned is"):
        fetch(pinned, tmp_path)
    assert fetch(source(kind="folder", file=str(folder), sha256=""), tmp_path) == folder
    with pytest.raises(FetchError, match="nothing at"):
        fetch(source(kind="folder", file=str(tmp_path / "no")), tmp_path)


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


def test_a_git_commit_is_pinned_by_its_tree(tmp_path):
    from indexer.curation.archives import entries

    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    (origin / "a.py").write_text("x = 1\n")
    git(origin, "add", ".")
    git(origin, "commit", "-q", "-m", "one")
    commit, tree = git(origin, "rev-parse", "HEAD"), git(origin, "rev-parse", "HEAD^{tree}")
    pinned = source(kind="git", name="o/r", version=commit, file=origin.as_uri(), sha256=tree)
    path = fetch(pinned, tmp_path / "d")
    assert path == archive_path(pinned, tmp_path / "d")
    assert [(each.path, each.read(99)) for each in entries("git", path)] == [("a.py", b"x = 1\n")]
    wrong = source(kind="git", name="o/w", version=commit, file=origin.as_uri(), sha256="0" * 40)
    with pytest.raises(FetchError, match="the tree is"):
        fetch(wrong, tmp_path / "d")


@pytest.mark.network
@pytest.mark.parametrize("name", ["bottle", "@tanstack/virtual-core"])
def test_the_registries_still_serve_what_is_pinned(tmp_path, name):
    pinned = next(each for each in read_recipe(default_manifest()).sources if each.name == name)
    assert fetch(pinned, tmp_path).is_file()
