"""The user's list of what to leave out."""

import pytest

from indexer.curation.optout import OptOut, add_opt_out, matcher, read_opt_outs
from indexer.curation.sources import RecipeError


@pytest.mark.parametrize(
    ("entry", "package", "path", "covered"),
    [
        (OptOut("numpy"), "NumPy", "a/b.py", True),
        (OptOut("numpy"), "scipy", "a/b.py", False),
        (OptOut("numpy", "numpy/ma/*"), "numpy", "numpy/ma/core.py", True),
        (OptOut("numpy", "numpy/ma/*"), "numpy", "numpy/fft.py", False),
        (OptOut("*", "*/secret.py"), "any", "x/secret.py", True),
    ],
)
def test_entries_cover_packages_and_paths(entry, package, path, covered):
    assert entry.covers(package, path) is covered
    assert bool(matcher((entry,))(package, path)) is covered


def test_entries_are_kept_once(tmp_path):
    path = tmp_path / "home" / "optout.toml"
    odd = OptOut('quo"te\\', "päth/*")
    assert add_opt_out(path, OptOut("a"))
    assert add_opt_out(path, odd)
    assert not add_opt_out(path, odd)
    assert read_opt_outs(path) == (OptOut("a"), odd)


def test_no_file_means_no_entries(tmp_path):
    assert read_opt_outs(tmp_path / "none.toml") == ()


@pytest.mark.parametrize("text", ["[[optout]]\n", "broken", "optout = 3\n"])
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / "o.toml").write_text(text)
    with pytest.raises(RecipeError, match=r"o\.toml is not readable"):
        read_opt_outs(tmp_path / "o.toml")
