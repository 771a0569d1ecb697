"""corpus.toml is read strictly."""

import pytest

from indexer.curation.parameters import Parameters
from indexer.curation.sources import RecipeError, default_manifest, read_recipe

HEAD = '[corpus]\nname = "t"\nversion = "1"\nlicenses = ["MIT"]\n'
ENTRY = {
    "kind": "pypi",
    "name": "a",
    "version": "1",
    "file": "a-1-py3-none-any.whl",
    "sha256": "ab" * 32,
    "license": "MIT",
}


def entry(**changes):
    values = {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}
    return "[[source]]\n" + "".join(f'{key} = "{value}"\n' for key, value in values.items())


def recipe(tmp_path, text):
    path = tmp_path / "corpus.toml"
    path.write_text(text)
    return read_recipe(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml at all", "not readable TOML"),
        ("[corpus]\n", "needs `licenses`"),
        (HEAD + entry(sha256=None), "a needs sha256"),
        (HEAD + entry(license=None, version=None), "needs version, license"),
        (HEAD + entry(kind="ftp"), "kind is one of"),
        (HEAD + entry(file="../a.whl"), "without a folder"),
        (HEAD + entry(name="-r"), "start with no dash"),
        (HEAD + entry() + entry(), "listed twice: pypi:a@1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    with pytest.raises(RecipeError, match=words):
        recipe(tmp_path, text)


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(RecipeError, match="no manifest at"):
        read_recipe(tmp_path / "corpus.toml")


def test_the_hash_sees_content_but_not_comments(tmp_path):
    first = recipe(tmp_path, HEAD + entry()).hash(Parameters())
    assert recipe(tmp_path, "# hello\n" + HEAD + entry()).hash(Parameters()) == first
    assert recipe(tmp_path, HEAD + entry(version="2")).hash(Parameters()) != first
    assert recipe(tmp_path, HEAD + entry()).hash(Parameters(max_line=999)) != first


def test_small_is_a_subset(tmp_path):
    both = recipe(tmp_path, HEAD + entry() + entry(name="b") + "small = true\n")
    assert [each.name for each in both.selected(small=True)] == ["b"]
    assert [each.name for each in both.selected(small=False)] == ["a", "b"]


def test_folders_are_relative_to_the_manifest(tmp_path):
    text = HEAD + entry(kind="folder", file="code", sha256=None)
    assert recipe(tmp_path, text).sources[0].file == str(tmp_path / "code")


def test_names_that_differ_only_in_signs_get_different_files(tmp_path):
    a, b = recipe(tmp_path, HEAD + entry(name="a.b") + entry(name="a-b")).sources
    assert a.key != b.key


def test_the_shipped_manifest_is_in_order():
    shipped = read_recipe(default_manifest())
    names = {each.name.lower() for each in shipped.sources}
    held_out = {each.name.lower() for each in shipped.held_out}
    assert held_out == {"attrs", "click", "commander", "date-fns", "express", "flask", "httpx",
                        "jinja2", "marshmallow", "pendulum", "requests", "rich", "typer",
                        "zod"}  # fmt: skip
    assert not names & held_out
    assert all(len(each.sha256) == 64 for each in (*shipped.sources, *shipped.held_out))
    assert shipped.selected(small=True)
    assert not {"GPL-3.0-only", "MPL-2.0", "NOASSERTION"} & shipped.licenses
