"""Files in the published layouts, of our own making, are read as their publishers mean them."""

import gzip
import json

import pytest

from trainer.evaluation import tasks

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "entry_point": "double",
    "canonical_solution": "    y = x\n\n    return y + x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
INFILLING = {
    **HUMANEVAL,
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "suffix": "\n    return y + x\n",
    "canonical_solution": "    y = x",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function to double a number.",
    "code": "def double(x):\r\n  return 2 * x",
    "test_setup_code": "two = 2",
    "test_list": ["assert double(two) == 4", "assert double(0) == 0"],
}
MULTIPL_E = {
    "name": "HumanEval_0_double",
    "language": "js",
    "prompt": "//Twice x.\nfunction double(x){\n",
    "tests": "console.assert(double(2) == 4);",
    "stop_tokens": ["\nfunction ", "\n//"],
}


def written(path, *records):
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
    return path


def only(path, **more):
    (task,) = tasks.read_benchmark(path, **more).tasks
    return task


def test_humaneval_is_the_prompt_the_completion_and_a_call_of_check(tmp_path):
    task = only(written(tmp_path / "h.jsonl", HUMANEVAL))

    assert task.prompt == HUMANEVAL["prompt"].strip()
    assert task.program("\n    return 4") == (
        'def double(x):\n    """Twice x."""\n    return 4\n'
        "def check(candidate):\n    assert candidate(2) == 4\n\ncheck(double)\n"
    )
    assert task.program(task.reference, prompted=False).startswith(
        'def double(x):\n    """Twice x."""\n    y = x\n'
    )
    assert "\nclass" in task.stops


def test_infilling_puts_the_completion_before_the_suffix(tmp_path):
    task = only(written(tmp_path / "i.jsonl", INFILLING))

    assert task.prompt == HUMANEVAL["prompt"]
    assert '"""Twice x."""\n    y = x\n    return y + x\n' in task.program(task.reference)
    assert task.stops == ()


def test_mbpp_shows_the_text_and_one_test_as_a_docstring(tmp_path):
    task = only(written(tmp_path / "m.jsonl", MBPP))

    assert task.prompt == (
        '"""\nWrite a function to double a number.\nassert double(two) == 4\n"""\n'
    )
    program = task.program("def double(x): return 2 * x")
    assert program.endswith("\ntwo = 2\nassert double(two) == 4\nassert double(0) == 0\n")


def test_sanitised_mbpp_has_a_prompt_and_imports_and_is_one_array(tmp_path):
    values = {**MBPP, "prompt": MBPP["text"], "test_imports": ["import math"]}
    del values["text"], values["test_setup_code"]
    path = tmp_path / "sanitized-mbpp.json"
    path.write_text(json.dumps([values], indent=1), encoding="utf-8")

    task = only(path)

    assert MBPP["text"] in task.prompt
    assert "import math\nassert" in task.tests


def test_of_mbpp_the_test_split_is_read_unless_all_is_asked_for(tmp_path):
    path = written(tmp_path / "m.jsonl", {**MBPP, "task_id": 2}, MBPP, {**MBPP, "task_id": 511})

    assert [each.name for each in tasks.read_benchmark(path).tasks] == ["MBPP/11"]
    assert len(tasks.read_benchmark(path, all_tasks=True).tasks) == 3
    assert "1 of 3 tasks" in tasks.read_benchmark(path).found


@pytest.mark.parametrize(
    ("named", "language"),
    [("js", "javascript"), ("go_test.go", "go"), ("rs", "rust"), ("lua", "lua")],
)
def test_multipl_e_names_its_language_and_its_stops(tmp_path, named, language):
    task = only(written(tmp_path / "p.jsonl", {**MULTIPL_E, "language": named}))

    assert (task.name, task.language) == ("HumanEval_0_double", language)
    assert task.stops == ("\nfunction ", "\n//")
    assert task.program("\n return 4;}").endswith(" return 4;}\nconsole.assert(double(2) == 4);")
    assert task.reference is None


def test_gzip_is_known_by_its_first_bytes(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_bytes(gzip.compress(json.dumps(HUMANEVAL).encode()))

    assert only(path).name == "HumanEval/0"


def test_single_lines_are_masked_one_by_one(tmp_path):
    derived = tasks.single_lines(tasks.read_benchmark(written(tmp_path / "h.jsonl", HUMANEVAL)))

    assert [each.name for each in derived.tasks] == [
        "SingleLineInfilling/HumanEval/0/L0",
        "SingleLineInfilling/HumanEval/0/L2",
    ]
    first, second = derived.tasks
    assert (first.reference, first.suffix) == ("    y = x", "\n\n    return y + x\n")
    assert second.prompt.endswith('"""\n    y = x\n\n')
    whole = HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"]
    for each in derived.tasks:
        assert each.prompt + each.reference + each.suffix == whole
    assert "made from HumanEval" in derived.prompt_form


def test_single_lines_need_humaneval_with_solutions(tmp_path):
    bare = {key: value for key, value in HUMANEVAL.items() if key != "canonical_solution"}

    with pytest.raises(ValueError, match="not from MBPP"):
        tasks.single_lines(tasks.read_benchmark(written(tmp_path / "m.jsonl", MBPP)))
    with pytest.raises(ValueError, match="canonical_solution"):
        tasks.single_lines(tasks.read_benchmark(written(tmp_path / "h.jsonl", bare)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}\n', r"f\.jsonl:1: unknown layout with the keys a(.|\n)*MultiPL-E: name"),
        (b"\n{broken\n", r"f\.jsonl:2: .*each line must be one JSON object"),
        (b"3\n", r"f\.jsonl:1: a task must be a JSON object, not int"),
        (b"", r"is empty: give a file in one of these layouts"),
        (b"[1, 2", r"f\.jsonl: .*mend it"),
        (b"\xff\xfe", r"f\.jsonl is damaged"),
        (b"\x1f\x8b\x08\x00", r"f\.jsonl is damaged"),
        (gzip.compress(json.dumps(HUMANEVAL).encode() * 9)[:-20], r"f\.jsonl is damaged"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, said):
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=said):
        tasks.read_benchmark(path)


def test_a_task_that_lacks_a_key_is_named_by_its_line(tmp_path):
    lacking = {key: value for key, value in HUMANEVAL.items() if key != "test"}

    with pytest.raises(ValueError, match=r"h\.jsonl:2: a task of HumanEval lacks test"):
        tasks.read_benchmark(written(tmp_path / "h.jsonl", HUMANEVAL, lacking))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**MBPP, "task_id": "x"}, "task_id of MBPP is a number"),
        ({**MBPP, "test_list": None}, "cannot be read"),
        ({**MBPP, "test_list": []}, "cannot be read"),
        ({**MULTIPL_E, "stop_tokens": "\n"}, "stop_tokens must be a list"),
        ({**HUMANEVAL, "task_id": "CPP/0", "declaration": "int f()"}, "HumanEval-X"),
    ],
)
def test_a_task_of_another_kind_is_refused(tmp_path, values, said):
    with pytest.raises(ValueError, match=said):
        tasks.read_benchmark(written(tmp_path / "f.jsonl", values))


def test_a_name_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2 tasks are called HumanEval/0"):
        tasks.read_benchmark(written(tmp_path / "h.jsonl", HUMANEVAL, HUMANEVAL))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read .*none\.jsonl"):
        tasks.read_benchmark(tmp_path / "none.jsonl")


def test_completions_made_elsewhere(tmp_path):
    good = written(
        tmp_path / "c.jsonl", {"task_id": 3, "completion": " x"}, {"name": "b", "completion": ""}
    )
    bad = written(tmp_path / "d.jsonl", {"task_id": 3, "completion": None})

    assert tasks.read_completions(good) == [("3", " x"), ("b", "")]
    with pytest.raises(ValueError, match=r"d\.jsonl:1: needs task_id and completion"):
        tasks.read_completions(bad)
