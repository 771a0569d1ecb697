"""Which files are shown before one: what it imports, then its neighbours, then others of its package."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from engine.fim import FimLayout, parse
from trainer.config import DataRecipe, SpanRecipe
from trainer.data import Plan, make_block, source_of
from trainer.repository import Repositories
from trainer.texts import SourceFile, texts_of

CLIENT = """\
import os, sys
from .models import Reply
from . import errors
from ..tool.shapes import (
    Circle as Round,
    Square,
)
import shop.tool.paint as paint
"""
FILES = {
    "shop/net/client.py": CLIENT,
    "shop/net/models.py": "VERSION = 1\n\nclass Reply:\n    pass\n",
    "shop/net/errors.py": "class Broken(Exception):\n    pass\n",
    "shop/net/near.py": "near = 1\n",
    "shop/tool/shapes.py": "SIZE = 2\n\ndef Square():\n    pass\n\nclass Circle:\n    pass\n",
    "shop/tool/paint.py": "red = 1\n",
    "shop/far/away.py": "far = 1\n",
    "shop/net/data.json": "{}\n",
    "shop/net/page.js": "let a = 1;\n",
}


def package(files, name="shop"):
    return [
        SourceFile(text, path, name, "python" if path.endswith("py") else "javascript")
        for path, text in files.items()
    ]


def others_of(files, path, seed=1):
    stranger = SourceFile("class Reply: pass\n", "shop/net/models.py", "other", "python")
    listed = [stranger, *package(files)]
    index = next(n for n, each in enumerate(listed) if n and each.path == path)
    return list(Repositories(texts_of(listed)).others(index, listed[index], Random(seed)))


def test_imported_files_come_first_then_neighbours_then_the_rest():
    paths = [each.path for each in others_of(FILES, "shop/net/client.py")]

    assert sorted(paths[:4]) == [
        "shop/net/errors.py",
        "shop/net/models.py",
        "shop/tool/paint.py",
        "shop/tool/shapes.py",
    ]
    assert paths[4:] == ["shop/net/near.py", "shop/far/away.py"]


def test_an_imported_file_says_where_the_imported_name_is_defined():
    starts = {each.path: each.text[each.start :] for each in others_of(FILES, "shop/net/client.py")}

    assert starts["shop/net/models.py"].startswith("class Reply")
    assert starts["shop/tool/shapes.py"].startswith(("class Circle", "def Square"))
    assert starts["shop/net/near.py"] == FILES["shop/net/near.py"]


def test_the_same_seed_shows_the_same_files():
    assert others_of(FILES, "shop/net/client.py", 3) == others_of(FILES, "shop/net/client.py", 3)


def test_a_source_folder_in_front_of_the_package_does_not_hide_it():
    files = {f"src/{path}": text for path, text in FILES.items()}

    paths = [each.path for each in others_of(files, "src/shop/net/client.py")]

    assert "src/shop/tool/paint.py" in paths[:4]


def test_a_text_that_imports_nothing_is_shown_nothing():
    assert others_of(FILES, "shop/net/data.json") == []


SCRIPT = """\
import React, { useState as use } from 'react';
import type { Shape } from "../shapes";
import draw, { Line } from './draw.js';
export { Color } from "./color";
const { read, write } = require('./files');
import "./style";
"""


def test_scripts_find_files_with_and_without_their_endings():
    files = {
        "lib/paint/main.ts": SCRIPT,
        "lib/paint/draw.ts": "export class Line {}\n",
        "lib/shapes/index.ts": "export interface Shape {}\n",
        "lib/paint/z.ts": "1\n",
    }
    listed = [SourceFile(text, path, "p", "typescript") for path, text in files.items()]
    found = Repositories(texts_of(listed)).others(0, listed[0], Random(0))

    assert {each.path for each in list(found)[:2]} == {"lib/paint/draw.ts", "lib/shapes/index.ts"}


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_so_many_files_are_shown_with_others_of_their_package(words, tmp_path, rate):
    files = [
        replace(each, path=f"{number}/{each.path}", package=str(number))
        for number in range(100)
        for each in package(FILES)[:6]
    ]
    plan = Plan(
        tmp_path,
        tmp_path,
        FimLayout(),
        SpanRecipe(repository_rate=rate, fim_rate=1.0, spm_rate=0.0, package_rate=0.0),
        DataRecipe(context=400, documents_per_block=600),
    )

    rows = make_block(0, source_of(plan, texts_of(files), words)).rows

    tokens = [int(each) for each in rows.ravel() if each != words.pad]
    ends = [-1, *(place for place, token in enumerate(tokens) if token == words.ids.end)]
    examples = [
        parse(FimLayout(), tokens[first + 1 : last + 1], words.ids, order="psm")
        for first, last in pairwise(ends)
    ]
    with_others = sum(bool(each.files) for each in examples)
    assert len(examples) == 600
    assert with_others == pytest.approx(600 * rate, abs=50)
    assert all(each.middle for each in examples)


def test_a_model_without_a_separator_is_shown_one_file_at_a_time(words, tmp_path):
    layout = FimLayout(file_sep="")
    ids = replace(words.ids, file_sep=None)
    plan = Plan(
        tmp_path,
        tmp_path,
        layout,
        SpanRecipe(repository_rate=1.0),
        DataRecipe(context=400),
    )

    rows = make_block(0, source_of(plan, texts_of(package(FILES)), replace(words, ids=ids))).rows

    assert words.ids.file_sep not in rows
    assert words.ids.file_name in rows
