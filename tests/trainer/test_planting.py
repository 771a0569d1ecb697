"""Planted copies are what their kinds say, and lie where they are said to."""

from __future__ import annotations

import ast
import re
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.indexer.attribution.conftest import (
    CLUSTER,
    DOCUMENTS,
    FOREIGN,
    QUEUE,
    document,
    write_corpus,
)
from trainer.evaluation.attribution import formatting
from trainer.evaluation.attribution.editing import edited, edited_by_count, foreign_lines
from trainer.evaluation.attribution.formatting import reformatted
from trainer.evaluation.attribution.passages import draw_passage, lexemes, passages
from trainer.evaluation.attribution.planting import KINDS, Plan, plant, plant_all
from trainer.evaluation.attribution.renaming import LIGHT, renamed
from trainer.evaluation.attribution.splits import split_of

if TYPE_CHECKING:
    from pathlib import Path

BODY = CLUSTER[CLUSTER.index("def nearest") : CLUSTER.index("class Centre")].strip()
STRANGE = ["zebra = quagga(okapi, 7)", "gnu.graze(savanna)"]


def full(text: str) -> list[str]:
    return [row.strip() for row in text.splitlines() if row.strip()]


def names(text: str) -> list[str]:
    return [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]


@pytest.mark.parametrize("lines", [5, 10])
def test_passages_of_python_are_whole_statements_of_the_asked_length(lines: int) -> None:
    found = passages(CLUSTER, "python", lines)

    assert found
    for each in found:
        assert lines <= len(full(each.text)) <= lines + 1
        assert ast.parse(each.text)
        rows = CLUSTER.splitlines()[each.first_line - 1 : each.last_line]
        assert full(each.text) == [row.strip() for row in rows if row.strip()]


@pytest.mark.parametrize("lines", [3, 10])
def test_passages_of_scripts_close_what_they_open(lines: int) -> None:
    found = passages(QUEUE, "javascript", lines)

    assert found
    for each in found:
        assert lines <= len(full(each.text)) <= lines + 1
        assert each.text.count("{") == each.text.count("}")
        assert full(each.text)[-1].endswith((";", "}"))


def test_imports_remarks_and_tables_are_no_passages() -> None:
    imports = "".join(f"import module_{n}\n" for n in range(6))
    remarks = "".join(f"# remark {n}\n" for n in range(6)) + "value = 1\n"
    table = "rows = [\n" + "".join(f"    {n}, {n + 1}, {n + 2},\n" for n in range(6)) + "]\n"

    for text in (imports, remarks, table):
        assert draw_passage(text, "python", 5, Random(1)) is None


NAMES = "\n  alpha,\n  beta,\n  gamma,\n  delta\n"


@pytest.mark.parametrize(
    ("language", "imports", "code"),
    [
        ("python", f"from one.other import ({NAMES})\nimport third\n", f"alpha = call({NAMES})\nthird()\n"),
        ("typescript", f"import {{{NAMES}}} from './other';\nimport third from 'third';\n", f"call({{{NAMES}}});\nthird();\n"),
        ("javascript", f"const {{{NAMES}}} = require('./other');\nconst one = require('one');\n", f"const {{{NAMES}}} = chosen();\nconst one = chosen(1);\n"),
    ],
)  # fmt: skip
def test_imports_are_imports_over_several_lines_too(language: str, imports: str, code: str) -> None:
    assert passages(imports, language, 7) == []
    assert len(passages(code, language, 7)) == 1


def test_light_renaming_changes_about_its_share_of_the_tokens_and_local_names_only() -> None:
    copy = renamed(BODY, "lightly", "python", Random(3))
    assert copy is not None
    before, after = lexemes(BODY), lexemes(copy)
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    pairs = set(zip(names(BODY), names(copy), strict=True))

    assert 0.3 * LIGHT <= changed / len(before) <= 2.5 * LIGHT
    assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})
    assert {"len", "math", "enumerate", "distance"} <= {old for old, new in pairs if old == new}


def test_full_renaming_leaves_built_in_names_attributes_and_arguments_alone() -> None:
    copy = renamed(BODY, "fully", "python", Random(3))
    assert copy is not None
    kept = {old for old, new in zip(names(BODY), names(copy), strict=True) if old == new}
    attributes = re.compile(r"\.(\w+)")

    assert kept == {"len", "enumerate", "ValueError", "round"}
    assert "key=" in copy
    assert attributes.findall(copy) == attributes.findall(BODY)
    assert "no centre within" not in copy
    assert ast.parse(copy)


def test_inconsistent_renaming_gives_a_name_two_others() -> None:
    copies = [renamed(BODY, "inconsistently", "python", Random(seed)) for seed in range(3)]
    pairs = [set(zip(names(BODY), names(copy or ""), strict=True)) for copy in copies]

    assert any(len(each) > len({old for old, _ in each}) for each in pairs)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "def add(self, each):\n    self.total += each.total\n    self.add(self.__class__)\n",
            "python",
        ),
        (
            "add(each) {\n  this.total += each.total;\n  return this.add(this.total);\n}\n",
            "javascript",
        ),
    ],
)
def test_throughout_renames_what_an_object_has_of_its_own(text: str, language: str) -> None:
    copy = renamed(text, "throughout", language, Random(1)) or ""

    assert not re.search(r"(self|this)\.(total|add)", copy)
    assert re.search(r"\w+\.total", copy)
    assert text.count("__class__") == copy.count("__class__")


@pytest.mark.parametrize("how", ["lightly", "fully", "inconsistently"])
def test_scripts_keep_their_keywords_properties_and_keys(how: str) -> None:
    copy = renamed(QUEUE, how, "javascript", Random(5))
    assert copy is not None
    properties = re.compile(r"\.(\w+)")
    keys = re.compile(r"^\s*(\w+):", re.MULTILINE)

    assert copy != QUEUE
    assert properties.findall(copy) == properties.findall(QUEUE)
    assert keys.findall(copy) == keys.findall(QUEUE)
    assert len(lexemes(copy)) >= len(lexemes(QUEUE)) - 5


def test_names_inside_formatted_strings_are_renamed_too() -> None:
    python = 'total = 1\nprint(f"{total} of {total + 1}")\nother = total\n'
    script = "const total = 1;\nconst other = `${total} of ${total + 1}`;\n"

    assert "total" not in (renamed(python, "fully", "python", Random(1)) or "total")
    assert "total" not in (renamed(script, "fully", "javascript", Random(1)) or "total")


def test_two_lines_go_and_two_foreign_ones_come() -> None:
    for seed in range(10):
        rows = full(edited_by_count(BODY, 2, 2, "python", STRANGE, Random(seed)))

        assert sum(row in STRANGE for row in rows) == 2
        assert len(rows) == len(full(BODY))
        assert sum(row not in rows for row in set(full(BODY))) <= 2


def test_as_many_lines_are_touched_as_the_share_says() -> None:
    kept = {}
    for share in (0.1, 0.5):
        rows = [full(edited(BODY, share, "python", STRANGE, Random(seed))) for seed in range(20)]
        kept[share] = [sum(row in each for row in full(BODY)) / len(full(BODY)) for each in rows]

    assert min(kept[0.1]) >= 0.8
    assert sum(kept[0.5]) / 20 < 0.75 < sum(kept[0.1]) / 20
    assert min(kept[0.5]) >= 0.45


def test_foreign_lines_are_statements_that_open_nothing() -> None:
    found = foreign_lines(FOREIGN)

    assert found
    assert not [each for each in found if each.endswith((":", "(", "[", "{", ","))]


def test_formatters_change_the_layout_and_no_code() -> None:
    made = reformatted([(BODY, "python", seed) for seed in range(12)])
    several = [each for each in made if each]

    assert len(set(several)) >= 2
    for each in several:
        assert ast.dump(ast.parse(each)) == ast.dump(ast.parse(BODY))


def test_without_prettier_scripts_get_another_layout_and_the_record_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formatting, "formatters", lambda: {"python": None, "scripts": None})
    (made,) = reformatted([(QUEUE, "javascript", 1)])

    assert made
    assert made != QUEUE
    assert "a layout of our own" in formatting.described()


@pytest.mark.parametrize("seed", range(10))
def test_a_copy_lies_where_it_is_said_to(seed: int) -> None:
    planted, first, last = plant(FOREIGN, BODY, "python", Random(seed))

    assert full("\n".join(planted.splitlines()[first - 1 : last])) == full(BODY)
    assert len(planted.splitlines()) == len(FOREIGN.splitlines()) + len(BODY.splitlines()) + 2
    assert ast.parse(planted)


def test_a_plan_gives_every_kind_with_its_origin_the_same_way_each_time(tmp_path: Path) -> None:
    write_corpus(tmp_path, DOCUMENTS)
    hosts = [document(FOREIGN + f"\n\nEND = {n}\n" * 9, f"own_{n}.py", "mine") for n in range(3)]
    plan = Plan(3, lengths=(5, 10), groups=("python",), split="all")
    cases = plant_all(tmp_path / "corpus", hosts, plan)

    assert {each.kind for each in cases} >= set(KINDS) - {"spliced"}
    assert cases == plant_all(tmp_path / "corpus", hosts, plan)
    for case in cases:
        shown = case.text.splitlines()[case.first_line - 1 : case.last_line]
        assert full("\n".join(shown)) == full(case.copy)
        if case.kind == "verbatim":
            assert full(case.origins[0].text) == full(case.copy)


def test_a_package_belongs_to_one_half() -> None:
    halves = {split_of(f"package{number}") for number in range(50)}

    assert halves == {"test", "tuning"}
    assert split_of("numpy") == split_of("numpy")


def test_prettier_is_found_in_the_data_folder_and_what_it_writes_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tools" / "node_modules" / ".bin" / "prettier"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nfor each in *.ts; do echo "// formatted" >> "$each"; done\n')
    program.chmod(0o755)
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path))

    assert "prettier in three styles" in formatting.described()
    made = reformatted([("let a = 1", "typescript", 1), ("let b = 2", "javascript", 1)])
    assert made == ["let a = 1\n// formatted", None]
