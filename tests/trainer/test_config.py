"""Recipes: every one of ours parses; a misspelt line is refused."""

import pytest

from trainer.config import RECIPES, RecipeError, load_recipe


@pytest.mark.parametrize("name", sorted(each.stem for each in RECIPES.glob("*.toml")))
def test_every_recipe_parses(name):
    recipe = load_recipe(name)

    assert recipe.name == name
    if name not in {"finetune", "lora"}:  # their steps follow from the files and --epochs
        assert recipe.run.steps or recipe.run.time_budget_s


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("[optim]\nmatrix_rl = 0.1", "matrix_rl"),
        ("[modle]\nlayers = 2", "modle"),
        ('[model]\nlayers = "2"', "layers"),
        ("[run]\ncompile = 1", "compile"),
        ("[data]\nrows = 12\n[run]\nmicro_rows = 8", "micro_rows"),
        ("[data]\nrows = 6\nlanes = 4", r"multiple of data\.lanes"),
        ("[data]\nlanes = 0", r"data\.lanes"),
        ("[data]\nworkers = -1", r"data\.workers"),
        ('[data]\nlanguages = "python"', "languages must be a list"),
        ("[data]\nlanguages = [1]", "languages must be a list"),
        ("[data]\nweights = 2", "weights must be a table"),
        ('[data.weights]\npython = "much"', r"weights\.python must be float"),
        ("[data.weights]\npython = -1", r"weights\.python must be 0 or more"),
        ("[data.weights]\npython = nan", r"weights\.python must be 0 or more"),
        ("[data]\ncontext = 9000", "context"),
        ('[run]\ndtype = "int4"', "dtype"),
        ("model = 3", "model"),
        ("[model", "TOML"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, named):
    path = tmp_path / "wrong.toml"
    path.write_text(line, encoding="utf-8")

    with pytest.raises(RecipeError, match=named):
        load_recipe(path)


def test_languages_and_weights_are_read(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(
        '[data]\nlanguages = ["python", "toml"]\n[data.weights]\ntoml = 2\n', encoding="utf-8"
    )

    data = load_recipe(path).data

    assert data.languages == ("python", "toml")
    assert data.weights == {"toml": 2.0}


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(RecipeError, match="small"):
        load_recipe("smal")


def test_a_budget_does_not_change_what_is_learned(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text("[run]\ntime_budget_s = 5", encoding="utf-8")
    short = load_recipe(path)
    path.write_text("[run]\ntime_budget_s = 50\nkeep = 9", encoding="utf-8")
    long = load_recipe(path)
    path.write_text("[optim]\nmatrix_lr = 0.5", encoding="utf-8")

    assert short.hash == long.hash
    assert short.hash != load_recipe(path).hash
