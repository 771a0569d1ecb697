"""The cards say what is on record, and that the rest is unknown; a licence's duties are explained."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from indexer.curation.parameters import Parameters
from indexer.curation.sources import default_manifest, read_recipe
from indexer.shards import write_shards
from tests.support.documents import document
from tests.support.published import edit_json
from tests.support.tiny import write_tiny
from trainer.commands.release import main
from trainer.release.licences import LICENCES
from trainer.release.markdown import duration, front_matter, table
from trainer.release.results import weaknesses

RECIPE = read_recipe(default_manifest())


def package(name: str, licence: str, **counts: int) -> dict[str, object]:
    return {
        "kind": "pypi", "name": name, "version": "1.2", "license": licence, "sha256": "ab" * 32,
        "url": f"https://example.org/{name}", **counts,
    }  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A corpus as the curation leaves it: with its packages, drops, redactions and recipe."""
    folder = tmp_path_factory.mktemp("cards") / "corpus"
    meta = {
        "name": "testing", "version": "7", "selection": "full", "failed": [],
        "recipe_hash": RECIPE.hash(Parameters()),
        "before": {"python": [9, 900], "json": [4, 44]},
        "dropped": {"long_line": [3, 300], "benchmark": [2, 20], "near_held_out": [5, 50]},
        "redactions": {"email": 17, "key": 1},
        "packages": [package("alpha", "MIT", documents=2, bytes=60),
                     package("beta", "Apache-2.0", documents=1, bytes=40)],
    }  # fmt: skip
    write_shards(folder, [document(f"x = {n}\n", f"{n}.py") for n in range(3)], meta=meta)
    return folder


@pytest.fixture(scope="module")
def checkpoint(corpus, tmp_path_factory) -> Path:
    """A tiny model that names that corpus and has a record of its training."""
    folder = write_tiny(tmp_path_factory.mktemp("cards") / "model")
    manifest = json.loads((corpus / "manifest.json").read_text())
    first = {"name": "small", "optim": {"rate": 0.02, "eps": 1e-10}}
    then = {"name": "small", "optim": {"rate": 0.008, "eps": 1e-10}}
    edit_json(
        folder / "footnote.json",
        corpus={"name": "testing", "hash": manifest["corpus_hash"], "recipe_hash": manifest["recipe_hash"]},
        training={
            "step": 120, "tokens": 1_500_000, "elapsed": 4500.0, "final_loss": 2.25,
            "history": [{"from_step": 0, "recipe": first}, {"from_step": 80, "recipe": then}],
            "branch": {"of": "another-model"},
        },
    )  # fmt: skip
    return folder


@pytest.fixture
def release(checkpoint, corpus, tmp_path):
    def make(*more: object, licence: str = "apache-2.0", data: Path | None = corpus) -> Path:
        out = tmp_path / "out"
        asked = [checkpoint, "--out", out, "--license", licence, "--no-measure", *more]
        asked += ["--corpus", data] if data else []
        assert main([str(each) for each in asked]) == 0
        return out

    return make


def test_the_data_card_has_the_counts_of_the_corpus(release, corpus) -> None:
    out = release("--contact", "Ann <ann@example.org>")
    card = (out / "DATA_CARD.md").read_text()

    assert "- documents: 3, 0.0 MB of text" in card
    assert "- packages: 2 (2 from pypi)" in card
    assert "| MIT | 1 | 2 | 0.00 |" in card
    assert "| long_line | 3 | 0.00 | a line that is too long |" in card
    assert "| max_line | 1000 |" in card
    assert "| data_chars | 50 to 5000 |" in card
    assert "| email | 17 |" in card
    assert "public benchmarks, which are compared as hashes: 2 files" in card
    assert "exact or near, were dropped as well: 5 files" in card
    assert all(f"{each.name} {each.version}" in card for each in RECIPE.held_out)
    assert "Write to: Ann <ann@example.org>." in card
    assert "footnote corpus optout PACKAGE" in card
    rows = list(csv.DictReader((out / "SOURCES.csv").read_text().splitlines()))
    assert [(row["name"], row["license"], row["documents"]) for row in rows] == [
        ("alpha", "MIT", "2"),
        ("beta", "Apache-2.0", "1"),
    ]


def test_without_the_corpus_the_data_card_says_what_is_not_known(release) -> None:
    out = release(data=None)
    card = (out / "DATA_CARD.md").read_text()

    assert "The corpus itself was not at hand" in card
    assert "has named no address for such wishes" in card
    assert "| " not in card
    assert not (out / "SOURCES.csv").exists()


def test_a_corpus_of_another_recipe_has_no_thresholds(corpus, checkpoint, tmp_path) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text())
    other = tmp_path / "corpus"
    other.mkdir()
    for shard in manifest["shards"]:
        (other / shard["file"]).write_bytes((corpus / shard["file"]).read_bytes())
    (other / "manifest.json").write_text(json.dumps({**manifest, "recipe_hash": "0" * 64}))
    out = tmp_path / "out"
    asked = [checkpoint, "--out", out, "--license", "apache-2.0", "--no-measure", "--corpus", other]
    assert main([str(each) for each in asked]) == 0
    card = (out / "DATA_CARD.md").read_text()

    assert "its thresholds are not recorded" in card
    assert "is not recorded for this corpus" in card
    assert "max_line" not in card


def test_another_corpus_is_refused_with_the_reason(checkpoint, tmp_path, capsys) -> None:
    other = tmp_path / "other"
    write_shards(
        other, [document("y = 1\n")], meta={"name": "o", "recipe_hash": "0", "selection": "full"}
    )
    out = tmp_path / "out"
    asked = [checkpoint, "--out", out, "--license", "apache-2.0", "--corpus", other]

    assert main([str(each) for each in asked]) == 2
    said = capsys.readouterr().err
    assert "the checkpoint was trained on" in said
    assert "name the folder of that corpus with --corpus" in said
    assert not out.exists()


def test_the_model_card_has_the_training_that_is_recorded(release) -> None:
    card = (release() / "README.md").read_text()

    assert card.startswith('---\nlicense: "apache-2.0"\nlanguage:\n- "code"\n')
    assert 'pipeline_tag: "text-generation"' in card
    assert '- "python"' in card.split("---")[1]
    assert "- tokens: 1.5 million; steps: 120" in card
    assert "- time of training: 75 minutes" in card
    assert "- hardware: not recorded; energy: not recorded" in card
    assert "- branch.of: another-model" in card
    assert "| optim.eps | 1e-10 |" in card
    assert "Changed at step 80:\n\n- optim.rate: 0.02 to 0.008" in card
    assert "Not evaluated: no results were given" in card
    assert "Loss of precision: not measured, as asked for." in card


def test_results_stand_beside_their_protocol_and_weak_ones_are_named(release, tmp_path) -> None:
    scores = [
        {"guess": "copy", "kind": "line", "language": "python", "first_line": 0.2},
        {"guess": "model, as served", "kind": "line", "language": "python", "first_line": 0.1},
    ]
    file = tmp_path / "infill.json"
    file.write_text(
        json.dumps({"protocol": "100 gaps | greedy", "model": "tiny", "scores": scores})
    )
    card = (release("--evaluation", file) / "README.md").read_text()

    assert "### infill\n\nProtocol: 100 gaps | greedy" in card
    assert "| model, as served | line | python | 0.100 |" in card
    assert "its first line is exact in 10% of the gaps; the guess 'copy'" in card


def test_a_row_that_beats_every_guess_is_no_weakness() -> None:
    rows = [
        {"guess": "copy", "kind": "line", "language": "python", "first_line": 0.1},
        {"guess": "model", "kind": "line", "language": "python", "first_line": 0.11},
    ]
    assert list(weaknesses({"infill": {"scores": rows}})) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no evaluation"),
        ("[]", "no object with results"),
        ('{"model": "m"}', "evaluation of 'm'"),
    ],
)
def test_what_is_no_evaluation_of_this_model_is_refused(
    checkpoint, tmp_path, text, complaint, capsys
) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(text)
    asked = [checkpoint, "--out", tmp_path / "out", "--license", "apache-2.0", "--evaluation", file]

    assert main([str(each) for each in asked]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("licence", LICENCES)
def test_the_duties_of_a_licence_stand_in_the_card_and_in_the_help(
    release, licence, capsys
) -> None:
    out = release(licence=licence)
    card = (out / "README.md").read_text()
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())

    assert f'license: "{LICENCES[licence].hub}"' in card
    assert all(duty in card and duty in said for duty in LICENCES[licence].duties)


def test_apache_comes_in_full(release) -> None:
    text = (release() / "LICENSE").read_text()

    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_summary_of_openrail_says_that_it_is_one(release, capsys) -> None:
    out = release(licence="openrail-m")

    assert "SUMMARY IN OTHER WORDS, NOT THE LICENCE" in (out / "LICENSE").read_text()
    assert "must be added from its publisher" in (out / "README.md").read_text().replace("\n", " ")
    assert "LICENSE is a summary" in capsys.readouterr().out


def test_the_text_of_a_licence_can_be_given(release, tmp_path) -> None:
    text = tmp_path / "agreement.txt"
    text.write_text("the agreement itself")
    out = release("--licence-text", text, licence="openrail-m")

    assert (out / "LICENSE").read_text() == "the agreement itself"
    assert "is a summary in other words" not in (out / "README.md").read_text()


def test_names_cannot_break_out_of_a_header_or_a_table() -> None:
    header = front_matter({"name": 'a"\n---\nlicense: mit', "tags": ["x: y"]})

    assert header.splitlines() == [
        "---",
        r'name: "a\"\n---\nlicense: mit"',
        "tags:",
        '- "x: y"',
        "---",
    ]
    assert table([{"a": "1|2\n3"}]).splitlines()[-1] == r"| 1\|2 3 |"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "not recorded"),
        (12.0, "12 seconds"),
        (4121, "69 minutes"),
        (90_000, "25 hours 0 minutes"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, said) -> None:
    assert duration(seconds) == said


def test_single_cases_stay_at_home_and_long_tables_in_the_file(release, tmp_path) -> None:
    file = tmp_path / "x.json"
    rows = [{"task": number, "passed": 1} for number in range(101)]
    section = {
        "evaluation": "functional",
        "protocol": {"limit_s": 3, "temperature": 0.2},
        "samples": [{"text": "SECRET"}],
        "tasks": rows,
        "note": "x" * 1000,
    }
    file.write_text(json.dumps(section))
    out = release("--evaluation", file)
    card = (out / "README.md").read_text()

    assert "### functional\n\nProtocol:\n\n- limit_s: 3\n- temperature: 0.2" in card
    assert "tasks: 101 rows, see evaluation.json" in card
    assert "x" * 301 not in card
    kept = json.loads((out / "evaluation.json").read_text())["functional"]
    assert kept.keys() == section.keys() - {"samples"}


def test_two_results_of_one_kind_are_told_apart_or_refused(release, tmp_path, capsys) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c" / "b.json"]
    (tmp_path / "c").mkdir()
    for number, file in enumerate(files):
        file.write_text(json.dumps({"evaluation": "infill", "protocol": f"p{number}"}))
    card = (release("--evaluation", files[0], "--evaluation", files[1]) / "README.md").read_text()
    assert "### infill\n\nProtocol: p0\n\n### infill, b\n\nProtocol: p1" in card

    more = [each for file in files for each in ("--evaluation", file)]
    with pytest.raises(AssertionError):
        release("--force", *more)
    assert "two results are called 'infill, b'" in capsys.readouterr().err
