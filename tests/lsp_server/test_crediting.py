"""Comments and notices that credit a source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer import Source
from lsp_server import crediting
from tests.support.repository import ROOT

SOURCE = Source("spans", "1.2", "spans/a.py", 4, 9, "BSD-3-Clause", "https://example.org/spans")


def test_a_comment_says_whose_under_what_and_from_where() -> None:
    assert crediting.comment(SOURCE, ["2020 Ada"], language="python") == [
        "# SPDX-FileCopyrightText: 2020 Ada",
        "# SPDX-License-Identifier: BSD-3-Clause",
        "# Source: spans 1.2, spans/a.py lines 4 to 9",
        "# https://example.org/spans",
    ]


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("typescript", "// SPDX-License-Identifier: BSD-3-Clause"),
        ("tsx", "// SPDX-License-Identifier: BSD-3-Clause"),
        ("php", "// SPDX-License-Identifier: BSD-3-Clause"),
        ("proto", "// SPDX-License-Identifier: BSD-3-Clause"),
        ("lua", "-- SPDX-License-Identifier: BSD-3-Clause"),
        ("scss", "// SPDX-License-Identifier: BSD-3-Clause"),
        ("svelte", "<!-- SPDX-License-Identifier: BSD-3-Clause -->"),
        ("powershell", "# SPDX-License-Identifier: BSD-3-Clause"),
        ("restructuredtext", ".. SPDX-License-Identifier: BSD-3-Clause"),
        ("sql", "-- SPDX-License-Identifier: BSD-3-Clause"),
        ("css", "/* SPDX-License-Identifier: BSD-3-Clause */"),
        ("html", "<!-- SPDX-License-Identifier: BSD-3-Clause -->"),
        ("some-new-language", "# SPDX-License-Identifier: BSD-3-Clause"),
    ],
)
def test_a_comment_is_one_of_its_language(language: str, line: str) -> None:
    assert crediting.comment(SOURCE, [], language=language)[0] == line


def test_there_is_no_comment_where_there_are_none_and_none_ends_early() -> None:
    assert crediting.comment(SOURCE, [], language="json") == []
    odd = replace(SOURCE, path="a*/ b.css")
    assert all(line.count("*/") == 1 for line in crediting.comment(odd, [], language="css"))


def test_a_credited_passage_is_known_again() -> None:
    above = ["x = 1", *crediting.comment(SOURCE, [], language="python")]

    assert crediting.is_credited(SOURCE, above)
    assert crediting.is_credited(replace(SOURCE, start_line=5), above)
    assert not crediting.is_credited(replace(SOURCE, path="spans/b.py"), above)
    assert not crediting.is_credited(SOURCE, [*above, *["x = 1"] * 20])


@pytest.mark.parametrize(
    ("head", "holders"),
    [
        ("# Copyright (c) 2014-2020, Ada Lovelace.\n# All rights reserved", ["2014-2020, Ada Lovelace"]),
        ("/* Copyright 2019 The Authors */", ["2019 The Authors"]),
        ("// SPDX-FileCopyrightText: 2021 Grace <g@example.org>", ["2021 Grace <g@example.org>"]),
        ("# © 2001 A\n# © 2001 A\n# (c) 2002 B", ["2001 A", "2002 B"]),
        ("copyright = read()\nprint(2020)", []),
        ("", []),
    ],
)  # fmt: skip
def test_holders_are_found_at_the_head_of_a_file(head: str, holders: list[str]) -> None:
    assert crediting.holders_in(head) == holders


def test_a_section_holds_the_text_of_the_licence_and_is_known_again() -> None:
    new = crediting.section(SOURCE, [], used_in="src/mine.py")
    notices = crediting.appended("", new)

    assert notices.startswith("# Third-party notices\n")
    assert "Copyright (c) the authors of spans" in notices
    assert "Redistributions in binary form must reproduce" in notices
    assert "`src/mine.py` (from `spans/a.py` lines 4 to 9)" in notices
    assert crediting.has_section(notices, SOURCE)
    assert not crediting.has_section(notices, replace(SOURCE, version="1.20"))
    assert crediting.appended("mine", new) == f"\n\n{new}"
    assert crediting.appended("mine\n", new) == f"\n{new}"


def test_every_licence_of_an_expression_is_there_or_said_where_it_is() -> None:
    mixed = replace(SOURCE, license="(MIT OR Apache-2.0) AND GPL-9.9+ AND ../../x")
    text = crediting.section(mixed, ["2020 Ada"], used_in="a")

    assert "Permission is hereby granted" in text
    assert "Apache License" in text
    assert "file NOTICE" in text
    assert "https://spdx.org/licenses/GPL-9.9.html" in text
    assert "Copyright 2020 Ada" in text


def test_the_texts_of_all_licences_in_the_recipe_are_there() -> None:
    recipe = (ROOT / "indexer/curation/corpus.toml").read_text()
    named = {name for line in recipe.splitlines() if line.startswith("license =")
             for name in line.split('"')[1].replace(" OR ", " AND ").split(" AND ")}  # fmt: skip
    texts = {file.stem for file in (ROOT / "lsp_server/licences").iterdir()}

    assert len(named) > 5
    assert named <= texts


@pytest.mark.parametrize(
    ("first", "line"),
    [
        (["#!/bin/sh\n", "x\n"], 1),
        (["<?php\n", "x\n"], 1),
        (["<?xml version='1.0'?>\n", "<!DOCTYPE html>\n", "x\n"], 2),
        (["#!/usr/bin/python\n", "# -*- coding: latin-1 -*-\n", "x\n"], 2),
        (['@charset "utf-8";\n', "x\n"], 1),
        (["import os\n", "#!no\n"], 0),
        (["#!/bin/sh\n"], 1),
    ],
)
def test_a_comment_goes_below_what_has_to_lead_a_file(first: list[str], line: int) -> None:
    assert crediting.line_for_comment(first, 0) == line
    assert crediting.line_for_comment([*first, "a\n", "#!b\n"], len(first) + 1) == len(first) + 1


def test_a_package_whose_files_differ_in_licence_has_a_section_for_each() -> None:
    notices = crediting.appended("", crediting.section(SOURCE, [], used_in="mine.py"))
    other = replace(SOURCE, license="MIT")

    assert not crediting.has_section(notices, other)
    notices += crediting.appended(notices, crediting.section(other, [], used_in="mine.py"))
    assert crediting.has_section(notices, other)
    assert "Permission is hereby granted" in notices


def test_one_more_use_is_added_to_the_section_that_is_there_once() -> None:
    before = crediting.appended("", crediting.section(SOURCE, [], used_in="mine.py"))
    assert crediting.another_use(before, SOURCE, used_in="mine.py") is None

    at, line = crediting.another_use(before, SOURCE, used_in="other.py") or (0, "")
    listed = before.splitlines(keepends=True)
    listed[at:at] = [line]
    assert listed[at - 1].startswith("- Used in: `mine.py`")
    assert line == "- Used in: `other.py` (from `spans/a.py` lines 4 to 9)\n"
    assert crediting.another_use("".join(listed), SOURCE, used_in="other.py") is None
