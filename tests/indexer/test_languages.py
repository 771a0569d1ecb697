"""Which files we take."""

import pytest

from indexer.languages import LANGUAGES, NEAR_CODE, language_of


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
        ("Makefile", None),
        ("a.py/binary.so", None),
        (".py", None),
        ("", None),
    ],
)
def test_the_name_decides(path, language):
    assert language_of(path) == language


def test_near_code_is_made_of_known_languages():
    assert set(LANGUAGES) > NEAR_CODE
