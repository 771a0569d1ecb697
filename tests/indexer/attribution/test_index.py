"""The index from end to end: copies are found with their places, everything else is not."""

from __future__ import annotations

import ast
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from indexer.attribution.builder import build_index
from indexer.attribution.index import AttributionIndex
from indexer.attribution.matches import match_json
from tests.indexer.attribution.conftest import (
    CLUSTER,
    DOCUMENTS,
    FOREIGN,
    LEDGER,
    QUEUE,
    document,
    write_corpus,
)

if TYPE_CHECKING:
    from pathlib import Path

NEAREST = CLUSTER[CLUSTER.index("def nearest") : CLUSTER.index("\n\nclass")]


def renamed(text: str) -> str:
    for old, new in (
        ("nearest_centres", "assign"), ("points", "rows"), ("point", "row"), ("centres", "hubs"), ("centre", "hub"),
        ("found", "groups"), ("best", "winner"), ("smallest", "least"), ("gap", "size"), ("members", "inner"),
    ):  # fmt: skip
        text = re.sub(rf"\b{old}\b", new, text)
    return text


def test_a_verbatim_copy_is_found_with_its_place(index: AttributionIndex) -> None:
    (match,) = index.check_document(FOREIGN + "\n\n" + NEAREST, language="python")
    first = FOREIGN.count("\n") + 3

    assert (match.tier, match.kind, match.similarity) == ("warning", "verbatim", 1.0)
    assert (match.start_line, match.end_line) == (first, first + NEAREST.count("\n") - 1)
    assert (match.source.package, match.source.path) == ("grouping", "grouping/cluster.py")
    assert CLUSTER.splitlines()[match.source.start_line - 1].startswith("def nearest_centres")
    assert CLUSTER.splitlines()[match.source.end_line - 1].strip() == "return found"
    assert match.source.license == "MIT"


def test_a_renamed_and_reformatted_copy_is_found(index: AttributionIndex) -> None:
    copy = ast.unparse(ast.parse(renamed(NEAREST))).replace("    ", "\t")
    (match,) = index.check_document(FOREIGN + copy + "\n", language="python")

    assert (match.tier, match.kind) == ("warning", "renamed")
    assert match.source.package == "grouping"


def test_a_copy_without_comments_in_another_style_is_found_in_typescript(
    index: AttributionIndex,
) -> None:
    copy = QUEUE.replace("'", '"').replace(";\n", "\n").replace("  ", "\t").replace("task", "work")
    (match,) = index.check_document("const x = 1\n" * 30 + copy, language="typescript")

    assert (match.tier, match.source.package) == ("warning", "patience")


def test_several_copies_in_a_long_file_are_all_found(index: AttributionIndex) -> None:
    filler = "".join(f"value_{n} = compute_{n}({n}, other_{n})\n" for n in range(400))
    text = filler + LEDGER + filler + NEAREST + filler + renamed(NEAREST)
    matches = index.check_document(text, path="long.py")

    assert [match.source.package for match in matches] == ["books", "grouping", "grouping"]
    assert [match.kind for match in matches] == ["verbatim", "verbatim", "renamed"]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_change_nothing(index: AttributionIndex, end: str) -> None:
    text = FOREIGN + LEDGER

    assert index.check_document(text.replace("\n", end), language="python") == index.check_document(
        text, language="python"
    )


def test_foreign_code_is_silent(index: AttributionIndex) -> None:
    assert index.check_document(FOREIGN, language="python") == []


@pytest.mark.parametrize(
    "text", ["", "\n", "x", "x = 1\n" * 20000, "(" * 5000, "\x00" * 100, "'" * 99]
)
def test_odd_texts_have_no_matches(index: AttributionIndex, text: str) -> None:
    assert index.check_document(text, language="python") == []
    assert index.check_completion(text, text, text, language="python") == []


def test_a_text_without_a_language_is_read_in_the_way_that_finds_most(
    index: AttributionIndex,
) -> None:
    assert index.check_document(LEDGER)[0].source.package == "books"
    assert index.check_document(QUEUE)[0].source.package == "patience"


def test_cancelling_stops_the_check(index: AttributionIndex) -> None:
    assert index.check_document(LEDGER, language="python", cancelled=lambda: True) == []


def test_a_completion_is_judged_with_what_stands_before_it(index: AttributionIndex) -> None:
    lines = LEDGER.splitlines(keepends=True)
    before = FOREIGN + "".join(lines[:4])
    (match,) = index.check_completion(before, "".join(lines[4:9]), "", language="python")

    assert match.tier == "warning"
    assert match.start_line <= FOREIGN.count("\n") + 5
    assert match.end_line >= FOREIGN.count("\n") + 8


def test_a_completion_is_not_blamed_for_what_was_there_before(index: AttributionIndex) -> None:
    own = (
        "    verdict = inspect(widget, colour='red')\n    return [verdict, widget.parent, colour]\n"
    )

    assert index.check_completion(FOREIGN + LEDGER, own, "", language="python") == []
    assert index.check_completion(FOREIGN, own, LEDGER, language="python") == []


def test_a_completion_of_a_few_tokens_is_not_judged(index: AttributionIndex) -> None:
    assert index.check_completion(LEDGER[:-20], "return wrong", "", language="python") == []


def test_the_same_passage_elsewhere_is_an_other(tmp_path: Path) -> None:
    twins = [document("import sys\n" + LEDGER, f"twin/{n}.py", f"twin{n}") for n in range(5)]
    write_corpus(tmp_path, DOCUMENTS + twins)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    (match,) = AttributionIndex.open(tmp_path / "index").check_document(LEDGER, language="python")

    assert match.kind == "verbatim"
    assert len({each.package for each in (match.source, *match.others)}) == 3
    assert match.more >= 1


def test_what_many_unrelated_packages_share_is_no_match(tmp_path: Path) -> None:
    everywhere = [
        document(f"unique_{n} = {n}\n" + LEDGER, f"p{n}/x.py", f"package{chr(97 + n)}")
        for n in range(12)
    ]
    write_corpus(tmp_path, everywhere)
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)

    assert AttributionIndex.open(tmp_path / "index").check_document(LEDGER, language="python") == []


def test_a_literal_table_is_no_warning(tmp_path: Path) -> None:
    table = "WIDTHS = [\n" + "".join(f"    ({n}, {n % 7}, {n % 3}),\n" for n in range(12)) + "]\n"
    write_corpus(tmp_path, [document(table, "t.py", "tables")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    matches = AttributionIndex.open(tmp_path / "index").check_document(table, language="python")

    assert [match for match in matches if match.tier == "warning"] == []


def test_threads_read_one_index(index: AttributionIndex) -> None:
    texts = [FOREIGN + LEDGER, FOREIGN, NEAREST, renamed(NEAREST)] * 8
    alone = [index.check_document(text, language="python") for text in texts]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: index.check_document(text, language="python"), texts))

    assert together == alone


def test_the_json_of_a_match_has_the_agreed_keys(index: AttributionIndex) -> None:
    value = match_json(index.check_document(LEDGER, language="python")[0])

    assert list(value) == [
        "start_line", "end_line", "tier", "kind", "similarity", "matched_tokens", "source", "others",
    ]  # fmt: skip
    assert list(value["source"]) == [
        "package", "version", "path", "start_line", "end_line", "license", "url",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("similarity", "told", "written"),
    [(1.0, "100%", 1.0), (0.99999, "99%", 0.9999), (0.996, "99%", 0.996), (0.5, "50%", 0.5)],
)
def test_only_what_is_the_same_everywhere_is_called_all(
    index: AttributionIndex, similarity: float, told: str, written: float
) -> None:
    match = replace(index.check_document(LEDGER, language="python")[0], similarity=similarity)

    assert (match.percent, match_json(match)["similarity"]) == (told, written)


def test_the_text_of_a_source_is_at_hand(index: AttributionIndex) -> None:
    source = index.check_document(LEDGER, language="python")[0].source

    assert index.source_text(source) == "import os\n" + LEDGER


def test_lookup_answers_by_name_path_and_content(index: AttributionIndex) -> None:
    assert [each.name for each in index.lookup("Grouping").packages] == ["grouping"]
    assert [each.path for each in index.lookup("books/ledger.py").files] == ["books/ledger.py"]
    assert [each.path for each in index.lookup("src").files] == ["src/retry.js"]
    assert [each.path for each in index.lookup_text(QUEUE)] == ["src/retry.js"]
    assert index.lookup("absent").packages == index.lookup("absent").files == ()


def test_agreeing_data_is_information_at_most(tmp_path: Path) -> None:
    settings = "".join(
        f'  "option_{n}": {{"default": "value {n}", "kind": "text"}},\n' for n in range(30)
    )
    write_corpus(tmp_path, [document("{\n" + settings + "}\n", "s.json", "settings", "json")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    (match,) = AttributionIndex.open(tmp_path / "index").check_document(settings, path="x.json")

    assert (match.tier, match.kind) == ("information", "verbatim")


def test_what_stands_in_the_projects_own_package_is_its_own(tmp_path: Path) -> None:
    vendored = document("import sys\n" + LEDGER, "vendor/ledger.py", "copies")
    write_corpus(tmp_path, [*DOCUMENTS, vendored])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    index = AttributionIndex.open(tmp_path / "index")
    text = FOREIGN + LEDGER + "\n\n" + NEAREST
    lines = LEDGER.splitlines(keepends=True)

    found = index.check_document(text, language="python", own=["Books"])
    assert [each.source.package for each in found] == ["grouping"]
    head, tail = "".join(lines[:4]), "".join(lines[4:])
    assert index.check_completion(head, tail, "", language="python", own=["other"])
    assert index.check_completion(head, tail, "", language="python", own=["books"]) == []


def edited(text: str, dropped: tuple[int, ...], inserted: dict[int, str]) -> str:
    rows = []
    for number, row in enumerate(text.splitlines()):
        if number in inserted:
            rows.append(inserted[number])
        if number not in dropped:
            rows.append(row)
    return "\n".join(rows) + "\n"


def test_a_copy_with_lines_taken_out_and_put_in_is_found(index: AttributionIndex) -> None:
    ten = "\n".join(LEDGER.splitlines()[1:11])
    foreign = {3: "    audit = registry.open('audit')", 7: "        audit.note(reason=verdict)"}
    copy = edited(ten, (2, 5), foreign)
    (match,) = index.check_document(FOREIGN + "\n\n" + copy, language="python")

    assert (match.tier, match.kind) == ("warning", "modified")
    assert match.source.package == "books"


def test_a_docstring_that_lost_its_opening_quotes_hides_nothing(index: AttributionIndex) -> None:
    headless = NEAREST.replace('"""For every point', "For every point")
    (match,) = index.check_document(FOREIGN + "\n\n" + headless, language="python")

    assert (match.tier, match.source.package) == ("warning", "grouping")
    assert match.start_line >= FOREIGN.count("\n") + 3


SHADER = """\
export const fragment = /* glsl */ `
uniform sampler2D glow;
varying vec2 where;
uniform float strength, falloff;

void main() {
    vec4 base = texture2D(glow, where);
    float ring = smoothstep(falloff, falloff + 0.125, length(where - vec2(0.5)));
    vec3 warm = mix(base.rgb, vec3(0.9, 0.6, 0.2), ring * strength);
    float grain = fract(sin(dot(where, vec2(12.9898, 78.233))) * 43758.5453);
    gl_FragColor = vec4(warm + grain * 0.04, base.a * (1.0 - ring));
}
`;
"""


def test_what_a_string_of_several_lines_holds_is_found(tmp_path: Path) -> None:
    write_corpus(tmp_path, [document(SHADER, "src/glow.js", "lamps", "javascript")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    inside = SHADER.splitlines(keepends=True)[2:-1]
    text = "const look = compile(`\n" + "".join(inside) + "`, {});\n"
    (match,) = AttributionIndex.open(tmp_path / "index").check_document(text, language="javascript")

    assert (match.tier, match.source.package, match.source.path) == (
        "warning",
        "lamps",
        "src/glow.js",
    )
    assert (match.start_line, match.end_line) == (2, len(inside))  # up to the last word
    assert (match.source.start_line, match.source.end_line) == (3, 1 + len(inside))


def test_a_copy_that_comes_line_by_line_is_seen_once_enough_of_it_stands(
    index: AttributionIndex,
) -> None:
    seen = []
    before = FOREIGN + "\n\n"
    for line in LEDGER.splitlines(keepends=True):
        if index.check_completion(before, line, "", language="python"):
            seen.append(before[len(FOREIGN) + 2 :] + line)
        before += line

    assert seen
    assert len(re.findall(r"\w+|[^\w\s]", seen[0])) <= 90


def test_a_line_of_ones_own_below_a_copy_is_not_blamed(index: AttributionIndex) -> None:
    own = "    archive = shelf.store(verdict, widget)\n"

    assert index.check_completion(FOREIGN + LEDGER, own, "", language="python") == []


def test_the_text_of_a_licence_is_told_as_such(tmp_path: Path) -> None:
    header = "\n".join(
        f"# {line}"
        for line in (
            "Licensed under the Sample Licence, Version 3 (the licence).",
            "You may not use this file except in compliance with the licence, a copy of which",
            "comes with this software. Unless agreed to in writing, software distributed under",
            "the licence is distributed without warranty or liability of any kind, either",
            "express or implied. See the licence for permissions and limitations under it.",
        )
    )
    write_corpus(tmp_path, [document(header + "\nvalue = 1\n", "m.py", "licensed")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    found = AttributionIndex.open(tmp_path / "index").check_document(
        header + "\nother = 2\n", language="python"
    )

    assert {(each.tier, each.kind) for each in found} <= {("information", "licence-header")}
    assert found


def test_the_same_imports_are_no_warning(tmp_path: Path) -> None:
    imports = "from framework.nodes import (\n" + "".join(
        f"    Kind{name}Node,\n" for name in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    )
    imports += ")\nimport framework.tools as tools\nfrom framework.deeper import widget, gadget\n"
    write_corpus(tmp_path, [document(imports + "\nvalue = 1\n", "m.py", "plugin")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    found = AttributionIndex.open(tmp_path / "index").check_document(imports, language="python")

    assert [each.tier for each in found] == ["information"]


def test_the_same_files_that_are_required_are_no_warning(tmp_path: Path) -> None:
    lines = (f'var {name}Frame = require("./frames/{name}.js");\n' for name in "abcdefghijklm")
    requires = "".join(lines)
    written = document(requires + "\nvar value = 1;\n", "m.js", "plugin")
    write_corpus(tmp_path, [replace(written, language="javascript")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    found = AttributionIndex.open(tmp_path / "index").check_document(
        requires, language="javascript"
    )

    assert [each.tier for each in found] == ["information"]


def test_a_second_place_in_one_package_is_counted_and_not_named(tmp_path: Path) -> None:
    places = [("one", "a.py"), ("one", "b.py"), ("two", "c.py")]
    write_corpus(
        tmp_path,
        [document(f"number = {n}\n" + LEDGER, path, name) for n, (name, path) in enumerate(places)],
    )
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    (match,) = AttributionIndex.open(tmp_path / "index").check_document(LEDGER, language="python")

    assert {match.source.package, *(each.package for each in match.others)} == {"one", "two"}
    assert (len(match.others), match.more) == (1, 1)


PROSE = (
    "Otters ferry the ledger between nine harbours before dawn because the tide table that the keeper inherited "
    "counts from the old lighthouse rather than from the pier where boats are moored today. Whoever compares both "
    "columns finds that the eleventh row was entered twice, once in brown ink and once in green, which nobody "
    "noticed until a clerk tried to settle the account of a barge that had never carried anything but gravel, "
    "lanterns and a single crated harpsichord for somebody in the northern parish."
)


@pytest.mark.parametrize(
    ("words", "tiers"), [(78, ["warning"]), (42, ["information"]), (30, []), (8, [])]
)
@pytest.mark.parametrize("quotes", ['"""', 'r"""'])
def test_a_remark_is_known_by_how_many_words_in_a_row_are_the_same(
    tmp_path: Path, words: int, tiers: list[str], quotes: str
) -> None:
    source = f'def settle(barge):\n    {quotes}{PROSE}"""\n    return barge.account(11)\n'
    write_corpus(tmp_path, [document(source, "harbour/ledger.py", "harbour")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    index = AttributionIndex.open(tmp_path / "index")
    copied = " ".join(PROSE.split()[:words])

    found = index.check_document(f'class Tide:\n    {quotes}{copied}"""\n', language="python")

    assert [each.tier for each in found] == tiers
