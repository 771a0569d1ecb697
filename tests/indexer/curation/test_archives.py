"""Every kind of package is read in memory, and hostile ones are refused."""

import io
import tarfile
import zipfile

import pytest

from indexer.curation.archives import ArchiveError, entries

FILES = {"pkg/a.py": b"x = 1\n", "pkg/b/c.py": b"y = 2\n"}


def tar(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def deb(data, name=b"data.tar.gz"):
    def member(name, data):
        header = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"100644".ljust(8)
        return header + str(len(data)).encode().ljust(10) + b"`\n" + data + b"\n" * (len(data) % 2)

    return b"!<arch>\n" + member(b"debian-binary", b"2.0\n") + member(name, data)


def wheel(tmp_path, files=FILES):
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def saved(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    return path


def listed(kind, path):
    return {entry.path: entry.read(100) for entry in entries(kind, path)}


def test_a_wheel(tmp_path):
    assert listed("pypi", wheel(tmp_path)) == FILES


def test_an_npm_tarball_without_its_outer_folder(tmp_path):
    path = saved(tmp_path, tar({"package/index.js": b"a", "package/lib/b.js": b"b", "stray": b""}))
    assert listed("npm", path) == {"index.js": b"a", "lib/b.js": b"b"}


def test_a_debian_package(tmp_path):
    path = saved(tmp_path, deb(tar({f"./{name}": data for name, data in FILES.items()})))
    assert listed("debian", path) == FILES


def test_a_debian_package_packed_with_zstd(tmp_path):
    import pyarrow as pa

    packed = pa.compress(tar(FILES, "w:"), codec="zstd", asbytes=True)
    assert listed("debian", saved(tmp_path, deb(packed, b"data.tar.zst"))) == FILES


def test_a_folder_without_hidden_folders_and_links(tmp_path):
    for name in ("b.py", "a/c.py", ".git/x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.py").symlink_to(tmp_path / "b.py")
    assert list(listed("folder", tmp_path)) == ["a/c.py", "b.py"]


def test_reading_stops_at_the_limit(tmp_path):
    path = wheel(tmp_path, {"big.py": b"0" * 10_000_000})
    assert [(each.size, each.read(10)) for each in entries("pypi", path)] == [
        (10_000_000, b"0" * 10)
    ]


@pytest.mark.parametrize("name", ["../../etc/passwd.py", "/etc/a.py", "a\\..\\b.py"])
def test_names_that_leave_the_package_are_skipped(tmp_path, name):
    assert listed("git", saved(tmp_path, tar({name: b"x", "a.py": b"y"}))) == {"a.py": b"y"}


def test_links_inside_a_tar_are_not_followed(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/a.py")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert listed("npm", saved(tmp_path, buffer.getvalue())) == {}


@pytest.mark.parametrize("kind", ["pypi", "npm", "debian", "git"])
@pytest.mark.parametrize("data", [b"", b"not a package at all" * 50])
def test_anything_else_is_refused(tmp_path, kind, data):
    with pytest.raises(ArchiveError):
        listed(kind, saved(tmp_path, data))


def test_a_cut_tarball_is_refused(tmp_path):
    data = tar({"package/a.py": bytes(range(256)) * 100})
    with pytest.raises(ArchiveError, match="cannot be read"):
        listed("npm", saved(tmp_path, data[: len(data) // 2]))
