"""What files are in, and which the corpus takes."""

import pytest

from indexer.languages import LANGUAGES, NEAR_CODE, TAKEN, language_of


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("a.pyi", "python"),
        ("src/App.JSX", "javascriptreact"),
        ("x.d.ts", "typescript"),
        ("x.tsx", "typescriptreact"),
        ("README.md", "markdown"),
        ("conf.yml", "yaml"),
        ("Pipfile", "toml"),
        ("Makefile", "makefile"),
        ("src/Main.java", "java"),
        ("lib.rs", "rust"),
        ("a.h", "c"),
        ("schema.SQL", "sql"),
        ("x.unknown", None),
        ("a.py/binary.so", None),
        (".py", None),
        ("", None),
    ],
)
def test_the_name_decides(path, language):
    assert language_of(path) == language


def test_near_code_is_made_of_known_languages():
    assert set(LANGUAGES) > TAKEN > NEAR_CODE


def test_an_ending_names_one_language():
    endings = [ending for each in LANGUAGES.values() for ending in each]

    assert len(endings) == len(set(endings))
