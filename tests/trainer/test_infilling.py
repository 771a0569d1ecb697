"""Filling many gaps at once gives what filling one gives, with any family's tokens, from any file."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from engine.fim import FimLayout
from indexer.shards import write_shards
from tests.support.documents import held
from tests.support.tiny import tiny_tokenizer, write_tiny
from trainer.commands import eval as eval_command
from trainer.evaluation import benchmarks, crossfile, infilling
from trainer.evaluation.batched import Continuation, continue_all
from trainer.evaluation.cases import Case, OtherFile
from trainer.evaluation.causal import load_causal
from trainer.evaluation.published import SANTACODER
from trainer.evaluation.raw import RawModel
from trainer.evaluation.report import wilson

SHAPES = "import math\n\n\ndef area(radius):\n    return math.pi * radius**2\n\n\nSIDES: int = 4\n"
PACKAGE = [
    held(SHAPES, "held/shapes.py"),
    held("", "held/sub/__init__.py"),
    held(
        "from __future__ import annotations\n\nfrom ..shapes import (\n    area,\n)\nfrom held import "
        "shapes as s\nimport os\n\n\ndef coat(size):\n    # area\n    print(os.sep)\n"
        "    total = area(size) + 1\n    return total + area(2)\n\n\nprint(s.SIDES, 'sides')\n",
        "held/sub/paint.py",
    ),
    held("from .shapes import missing\n\nprint(missing)\n" + "x = 1\n" * 40, "held/other.py"),
    held("export function sum(a, b) {\n  return a + b;\n}\n", "lib/sum.js", "javascript"),
    held(
        "import { sum as add } from './sum.js';\n// add\nexport const mean = (list) =>\n"
        "  list.reduce(add, 0) / list.length;\n",
        "lib/mean.js",
        "javascript",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def model(folder):
    return load_causal(folder, device="cpu", dtype="float32")


def naive(model, prompt: list[int], limit: int) -> list[int]:
    """Greedy decoding of one prompt, all of it anew for every token."""
    tokens: list[int] = []
    with torch.no_grad():
        while len(tokens) < limit:
            chosen = int(model.net(torch.tensor([prompt + tokens])).logits[0, -1].argmax())
            if chosen in model.ends:
                break
            tokens.append(chosen)
    return tokens


PROMPTS = ["return self", "def f(x):\n    ", "", "print(" * 30, "a = 1\nb = 2\nc =", "x"]


def test_a_batch_gives_what_each_prompt_gives_alone(model):
    wanted = [
        Continuation(model.tokenizer.encode(text) or [model.begin], limit)
        for text, limit in zip(PROMPTS, [9, 1, 20, 7, 0, 12], strict=True)
    ]

    together = continue_all(model, wanted)

    assert together == [naive(model, each.prompt, each.limit) for each in wanted]
    assert together == continue_all(model, wanted, budget=1)
    assert any(together)


def test_rows_that_end_leave_the_others_as_they_are(model):
    prompts = [model.tokenizer.encode(text) or [model.begin] for text in PROMPTS]
    plain = [naive(replace(model, ends=frozenset()), each, 12) for each in prompts]
    # What some rows write early ends a row from now on: rows end at different times.
    ending = replace(model, ends=frozenset({plain[0][2], plain[3][5]}))

    found = continue_all(ending, [Continuation(each, 12) for each in prompts])

    assert found == [naive(ending, each, 12) for each in prompts]
    assert len({len(each) for each in found}) > 1


def test_sampling_follows_each_rows_own_dice(model):
    prompts = [model.tokenizer.encode(text) or [model.begin] for text in PROMPTS]
    wanted = [Continuation(each, 10, seed) for seed, each in enumerate(prompts)]

    model = replace(model, ends=frozenset())
    together = continue_all(model, wanted, temperature=0.8)

    assert together == continue_all(model, wanted[::-1], temperature=0.8)[::-1]
    assert together == continue_all(model, wanted, temperature=0.8, budget=1)
    other = continue_all(model, [replace(e, seed=e.seed + 9) for e in wanted], temperature=0.8)
    assert together != other


def test_prompts_and_answers_are_what_plain_decoding_makes_of_the_layout(model):
    case = Case("a", "line", "python", "a.py", "x = ", "1", "\ny = 2\n")
    for order in ("spm", "psm"):
        raw = RawModel(model, order=order, context=100)
        prompt = raw.prompt(case)
        encode = model.tokenizer.encode
        ids = {name: model.tokenizer.id_of(f"<fim_{name}>") for name in ("prefix", "suffix")}

        assert not prompt.is_cropped
        assert prompt.tokens[0] == model.tokenizer.id_of("<filename>")
        assert prompt.tokens.count(ids["prefix"]) == prompt.tokens.count(ids["suffix"]) == 1
        last = encode("x = ") if order == "spm" else [model.tokenizer.id_of("<fim_middle>")]
        assert prompt.tokens[-len(last) :] == last
        texts, cropped = raw.fill([case, case])
        assert texts == [model.tokenizer.decode(naive(model, prompt.tokens, 64))] * 2
        assert cropped == 0


def test_a_prompt_never_exceeds_its_context_and_says_when_it_lost_text(model):
    text = "total = total + 1\n" * 200
    other = OtherFile("held/b.py", "y = 2\n" * 300, 900)
    case = Case("a", "line", "python", "a.py", text, "1", text, "held", (other,))
    raw = RawModel(model, context=96)

    for with_files in (False, True):
        prompt = raw.prompt(case, with_files=with_files)
        assert len(prompt.tokens) == 96
        assert prompt.is_cropped


def test_the_defining_file_is_shown_around_the_definition(model):
    text = "a = 1\n" * 200 + "def wanted():\n    return 5\n" + "b = 2\n" * 200
    other = OtherFile("held/b.py", text, text.index("def wanted"))
    case = Case("a", "line", "python", "a.py", "x = ", "wanted()", "\n", "held", (other,))
    raw = RawModel(model, context=160)

    without = model.tokenizer.decode(raw.prompt(case).tokens)
    shown = raw.prompt(case, with_files=True).tokens

    assert raw.knows_files
    assert "def wanted" not in without
    assert "def wanted():\n    return 5" in model.tokenizer.decode(shown)
    assert shown.count(model.tokenizer.id_of("<|file_sep|>")) == 2
    assert shown[0] == model.tokenizer.id_of("<reponame>")


def family(folder, tmp_path, layout: FimLayout, extra=()):
    """The tiny model under another publisher's token names and without our footnote.json."""
    other = tmp_path / "other"
    write_tiny(other)
    (other / "footnote.json").unlink()
    text = tiny_tokenizer().to_str()
    ours = FimLayout()
    for name in ("prefix", "suffix", "middle", "end"):
        old, new = json.dumps(getattr(ours, name)), json.dumps(getattr(layout, name))
        text = text.replace(old, new)
    (other / "tokenizer.json").write_text(text, encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": layout.end}
    (other / "tokenizer_config.json").write_text(json.dumps(config))
    return other


@pytest.mark.parametrize(
    "layout",
    [
        FimLayout("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"),
        FimLayout(
            "<\uff5cfim\u2581begin\uff5c>",
            "<\uff5cfim\u2581hole\uff5c>",
            "<\uff5cfim\u2581end\uff5c>",
            "<\uff5cend\u2581of\u2581sentence\uff5c>",
        ),
        FimLayout("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ],
    ids=["codegemma", "deepseek", "santacoder"],
)
def test_another_publishers_tokens_are_used(folder, tmp_path, layout):
    model = load_causal(family(folder, tmp_path, layout), device="cpu", dtype="float32")
    raw = RawModel(model, context=64)
    prompt = raw.prompt(Case("a", "line", "python", "", "x = ", "1", "\n")).tokens

    assert raw.order == "psm"
    assert prompt[0] == model.tokenizer.id_of(layout.prefix)
    assert prompt[-1] == model.tokenizer.id_of(layout.middle)
    assert model.tokenizer.id_of(layout.end) in model.ends
    with pytest.raises(ValueError, match="no spm order"):
        RawModel(model, order="spm", context=64)


def test_a_model_that_fills_no_gaps_is_refused(folder, tmp_path, held_out, capsys):
    other = family(folder, tmp_path, FimLayout("<a>", "<b>", "<c>", "<d>"))

    code = eval_command.main(["infill", "--model", str(other), "--held-out", str(held_out)])

    assert code == 2
    assert "no fill-in-the-middle tokens" in capsys.readouterr().err


def test_cross_file_lines_use_what_another_file_defines():
    (python,) = crossfile.draw(PACKAGE, language="python", count=9)
    (script,) = crossfile.draw(PACKAGE, language="javascript", count=9)
    texts = {each.text for each in PACKAGE}

    assert python.middle in ("total = area(size) + 1", "print(s.SIDES, 'sides')")
    assert python.files[0].path == "held/shapes.py"
    assert SHAPES[python.files[0].offset :].startswith(("def area", "SIDES"))
    assert script.middle == "list.reduce(add, 0) / list.length;"
    assert script.files[0].text[script.files[0].offset :].startswith("export function sum")
    for case in (python, script):
        assert case.prefix + case.middle + case.suffix in texts
    assert crossfile.draw(PACKAGE[::-1], language="python", count=9) == [python]


def test_intervals_are_wilsons():
    # Known values: Brown, Cai and DasGupta 2001 give the formula; these are its results by hand.
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(14, 100) == pytest.approx((0.0853, 0.2214), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_score_carries_its_intervals():
    cases = [Case(str(n), "line", "python", "", "x = ", "1", "\n") for n in range(10)]
    score = infilling.score("m", cases, ["1"] * 5 + ["2"] * 5)

    assert score.first_line_95 == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert score.strict_95 == score.first_line_95
    assert score.similarity_95[0] < score.similarity < score.similarity_95[1]
    assert score.parses_95 == pytest.approx((0.7225, 1.0), abs=1e-4)


HUMAN = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "entry_point": "f",
    "prompt": "def f(x):\n",
    "suffix": "\n",
    "canonical_solution": "    return x\n",
    "test": "def check(candidate):\n    pass\n",
}
SANTA = {
    "name": "HumanEval_0",
    "language": "java",
    "prompt": "class A {",
    "suffix": "}",
    "canonical_solution": "int b;",
    "tests": "",
}


def written(tmp_path, name: str, records: list) -> object:
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(records), path)
    elif name.endswith(".json"):
        path.write_text(json.dumps(records, indent=1), encoding="utf-8")
    else:
        text = "\n\n".join(map(json.dumps, records)) + "\n"
        data = text.encode("utf-8-sig" if "bom" in name else "utf-8")
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "bom.jsonl", "a.txt"]
)
def test_published_layouts_are_read_from_any_container(tmp_path, name):
    (case,) = benchmarks.read_cases(written(tmp_path, name, [HUMAN]))

    assert (case.name, case.kind, case.language) == (HUMAN["task_id"], "line", "python")
    assert (case.prefix, case.middle, case.suffix) == ("def f(x):\n", "    return x\n", "\n")
    (other,) = benchmarks.read_cases(written(tmp_path, name, [SANTA]))
    assert (other.kind, other.language, other.middle) == ("line", "java", "int b;")


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("[1]", "no text in prompt"),
        ("{}", "canonical_solution"),
        ("x", "one JSON object"),
        ('{"prompt": "a", "suffix": 3, "canonical_solution": "b"}', "no text in suffix"),
        ('{"prompt": "a", "suffix": "", "canonical_sol', "one JSON object"),
    ],
)
def test_another_layout_is_named_with_its_line(tmp_path, line, remedy):
    path = tmp_path / "c.jsonl"
    path.write_text(f"{json.dumps(HUMAN)}\n\n{line}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=rf"c\.jsonl:3.*{remedy}"):
        benchmarks.read_cases(path)


@pytest.mark.parametrize(
    ("name", "data", "remedy"),
    [
        ("a.jsonl", b"", "empty"),
        ("a.jsonl", b"\n\n", "empty"),
        ("a.json", b"[]", "empty"),
        ("a.jsonl", b"\xff\xfe\x00", "damaged"),
        ("a.jsonl.gz", b"no gzip", "damaged"),
        ("a.jsonl.gz", gzip.compress(b"x" * 9999)[:40], "damaged"),
        ("a.parquet", b"no parquet", "no Parquet"),
        ("missing.jsonl", None, "there is no file"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_remedy(
    folder, tmp_path, name, data, remedy, capsys
):
    if data is not None:
        (tmp_path / name).write_bytes(data)

    assert eval_command.main(["infill", str(tmp_path / name), "--model", str(folder)]) == 2
    assert remedy in capsys.readouterr().err


def test_a_published_file_is_known_by_its_cases(tmp_path):
    human = benchmarks.read_cases(written(tmp_path, "a.jsonl", [HUMAN]))
    java = [replace(human[0], name=str(n), language="java") for n in range(1780)]

    assert benchmarks.benchmark_of(human, tmp_path / "a.jsonl") == benchmarks.HUMANEVAL
    assert benchmarks.benchmark_of(java, tmp_path / "a.jsonl") == SANTACODER
    assert benchmarks.benchmark_of(java[1:], tmp_path / "a.jsonl") == "a.jsonl"


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "held-out"
    write_shards(folder, PACKAGE, meta={"name": "held", "recipe_hash": "0", "selection": "full"})
    return folder


def test_the_command_measures_cross_file_lines_with_and_without_the_file(
    folder, held_out, tmp_path, capsys
):
    out = tmp_path / "infill.json"
    arguments = ["--model", str(folder), "--held-out", str(held_out), "--context", "120"]

    code = eval_command.main(
        ["infill", *arguments, "--by", "spm", "--language", "python", "--json", str(out)]
    )

    result = json.loads(out.read_text(encoding="utf-8"))
    names = [row["guess"] for row in result["scores"] if row["kind"] == "cross-file"]
    assert code == 0
    assert names[-2:] == ["model, spm", "model, spm, with the defining file"]
    assert {row["kind"] for row in result["scores"]} >= {"line", "cross-file"}
    assert "imports from another file" in capsys.readouterr().out
    assert result["command"] == (
        "footnote eval infill --model tiny --context 120 --by spm --language python"
    )


def test_the_command_reads_a_published_file_whole(folder, tmp_path, capsys):
    path = written(tmp_path, "single.jsonl", [HUMAN, SANTA])
    out = tmp_path / "infill.json"
    usual = ["infill", str(path), "--model", str(folder), "--context", "100", "--json", str(out)]

    assert eval_command.main(usual) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["is_whole"]
    assert {row["language"] for row in result["scores"]} == {"python", "java"}
    assert {row["guess"] for row in result["scores"]} >= {"model, spm", "model, as served"}
    assert eval_command.main([*usual, "--language", "java"]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["is_whole"]
    more = written(tmp_path, "more.jsonl", [HUMAN, HUMAN, SANTA])
    assert eval_command.main(["infill", str(more), *usual[2:], "--cases", "1"]) == 0
    assert not json.loads(out.read_text(encoding="utf-8"))["is_whole"]
    assert "not the published benchmark" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--by", "x"], "--by knows"),
        (["--kind", "line,word"], "--kind knows"),
        (["--cases", "0"], "--cases"),
        (["--language", "cobol"], "leave out --language"),
        (["--context", "9"], "--context"),
        (["--context", "5000"], "lower --context"),
        (["--held-out", "nowhere"], "footnote setup"),
        (["--model", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_remedy(folder, held_out, arguments, remedy, capsys):
    usual = ["--model", str(folder), "--held-out", str(held_out), "--context", "100"]

    assert eval_command.main(["infill", *usual, *arguments]) == 2
    assert remedy in capsys.readouterr().err


def test_a_model_whose_weights_are_no_numbers_is_said_to_be_damaged(held_out, tmp_path, capsys):
    broken = write_tiny(tmp_path / "broken", scale=float("nan"))
    usual = ["--model", str(broken), "--held-out", str(held_out), "--context", "100"]

    assert eval_command.main(["infill", *usual, "--by", "spm"]) == 2
    assert "no numbers" in capsys.readouterr().err


def test_a_sentencepiece_vocabulary_adds_no_blank_and_loses_none(folder, tmp_path):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    sentinels = ["\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>"]
    words = [*sentinels, *map(chr, range(32, 127)), "\n", "\u2581", "\u263a"]
    vocabulary = Tokenizer(models.BPE(vocab={w: n for n, w in enumerate(words)}, merges=[]))
    vocabulary.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    vocabulary.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
    vocabulary.add_special_tokens([AddedToken(each, special=True) for each in sentinels])
    other = family(folder, tmp_path, FimLayout())
    vocabulary.save(str(other / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": sentinels[3]}
    (other / "tokenizer_config.json").write_text(json.dumps(settings))
    raw = RawModel(load_causal(other, device="cpu", dtype="float32"), context=64)

    prompt = raw.prompt(Case("a", "line", "python", "", "x =", " 1", "\ny")).tokens

    pieces = [words[each] for each in prompt]
    assert pieces == [sentinels[0], *"\u2581x\u2581=", sentinels[1], "\n", "y", sentinels[2]]
    assert raw.text([words.index(each) for each in "\u25811"]) == " 1"
