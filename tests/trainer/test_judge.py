"""A completion passes when its tests have run to their end, and for no other reason."""

import itertools
import math
import subprocess

import pytest

from trainer.evaluation import judge, languages, sandbox
from trainer.evaluation.languages import Limits, ToolMissing
from trainer.evaluation.sandbox import SandboxUnavailable
from trainer.evaluation.tasks import Task

LIMITS = Limits(seconds=20, megabytes=512)


@pytest.fixture(scope="module")
def way():
    try:
        found = sandbox.find_way()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    if not found.holds:
        pytest.skip(f"nothing isolates programs here: {found.refused}")
    return found.way


def a_task(language: str, lead: str, tests: str) -> Task:
    return Task("t", language, lead, lead, "", tests, (), None)


DOUBLE = a_task("python", "def double(x):\n", "\nassert double(2) == 4\n")


@pytest.mark.parametrize(
    ("completion", "verdict", "detail"),
    [
        ("    return 2 * x", "passed", ""),
        ("    print('x' * 100_000)\n    return 2 * x", "passed", ""),
        ("    return x", "failed", "AssertionError"),
        ("    return undefined", "failed", "NameError: name 'undefined' is not defined"),
        ("    return (", "did not compile", "SyntaxError: '(' was never closed"),
        ("\treturn x\n        return x", "did not compile", "TabError"),
        ("    return b'x' * (100 << 30)", "memory", "MemoryError"),
        ("    import sys; sys.exit(0)", "failed", "ended before its tests were through"),
        ("    import os; os._exit(0)", "failed", "ended before its tests were through"),
        ("    quit()", "failed", "NameError"),  # no site, no quit
        ("    import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "failed", "exit code -9"),
        ("    input()", "failed", "EOFError"),
        ("    open('/etc/hostile', 'w')", "failed", "Error"),
        ("    import socket; socket.socket()", "failed", "PermissionError"),
    ],
)
def test_verdicts_of_python(way, completion, verdict, detail):
    judged = judge.judge(DOUBLE, completion, LIMITS, way)

    assert judged.verdict == verdict, judged
    assert judged.detail.startswith(detail) or detail in judged.detail


def test_who_does_not_end_is_timed_out(way):
    judged = judge.judge(DOUBLE, "    while True: pass", Limits(1, 512), way)

    assert judged.verdict == "timed out"


def test_who_grows_is_out_of_memory(way):
    grows = "    held = []\n    while True: held.append('x' * 1000)"

    assert judge.judge(DOUBLE, grows, Limits(20, 100), way).verdict == "memory"


def test_a_passing_word_from_another_run_is_worth_nothing(way):
    words = set()
    for _ in range(3):
        program = languages.program_for("python", "", "word", LIMITS)
        words.add(program.steps[0].stdin)
    guess = "    import os; os.write(1, b'\\nword\\n' + b'0' * 32 + b'\\n'); os._exit(0)"

    assert judge.judge(DOUBLE, guess, LIMITS, way).verdict == "failed"


def test_the_source_with_the_word_is_in_no_file_and_no_argument(way):
    look = (
        "    import glob, sys, os\n"
        "    places = glob.glob('**', recursive=True) + ['/proc/self/cmdline', '/proc/self/environ']\n"
        "    for place in places:\n"
        "        if 'write(1' in open(place).read(): raise SystemExit(0)\n"
        "    return 2 * x"
    )
    assert judge.judge(DOUBLE, look, LIMITS, way).verdict == "passed"


def test_the_source_with_the_word_cannot_be_read_a_second_time(way):
    again = (
        "    import os\n"
        "    try: os.lseek(0, 0, 0)\n"
        "    except OSError: pass\n"
        "    found = os.read(0, 1_000_000).decode()\n"
        "    for path in ('/proc/self/fd/0', '/dev/stdin'):\n"
        "        try: found += open(path).read()\n"
        "        except OSError: pass\n"
        "    os.write(1, found.split(\"b'\")[-1][2:34].encode() + b'\\n')\n"
        "    os._exit(0)"
    )
    assert judge.judge(DOUBLE, again, LIMITS, way).verdict == "failed"


def test_a_long_program_is_read_to_its_end(way):
    long = "    return 2 * x\n" + "# a line\n" * 100_000

    assert judge.judge(DOUBLE, long, LIMITS, way).verdict == "passed"


# Every language whose tools are here: a right answer, a wrong one, one that leaves early, one that
# does not compile.

CPP = a_task(
    "cpp",
    "#include<assert.h>\nlong doubled(long x) {\n",
    "\n}\nint main() {\n    assert(doubled(2) == 4);\n}\n",
)
RUST = a_task(
    "rust",
    "fn doubled(x: isize) -> isize {\n",
    "\n}\n\nfn main() {\n    assert_eq!(doubled(2), 4);\n}\n",
)
JAVA = a_task(
    "java",
    "import java.util.*;\nimport org.javatuples.*;\nclass Problem {\n"
    "    public static Pair<Long, Long> doubled(long x) {\n",
    "\n    }\n    public static void main(String[] args) {\n"
    "    assert(doubled(2l).equals((Pair.with(2l, 4l))));\n    }\n\n}\n",
)
GO = a_task(
    "go",
    'package doubled_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\nfunc doubled(x int) int {\n',
    '\nfunc TestDoubled(t *testing.T) {\n\tif fmt.Sprintf("%v", doubled(2)) != "4" {\n'
    '\t\tt.Errorf("not 4")\n\t}\n}\n',
)
JAVASCRIPT = a_task(
    "javascript",
    "function doubled(x){\n",
    "\nconst assert = require('node:assert');\nfunction test() {\n"
    "  assert.deepEqual(doubled(2), 4);\n}\n\ntest();",
)
TYPESCRIPT = a_task(
    "typescript",
    "function doubled(x: number): number {\n",
    "\ndeclare var require: any;\nconst assert = require('node:assert');\n"
    "assert.deepEqual(doubled(2), 4);\n",
)
ANSWERS = {
    "cpp": (CPP, "return 2 * x;", "return x;", "exit(0);", "return x"),
    "rust": (RUST, "2 * x", "x", "std::process::exit(0)", "2 *"),
    "java": (
        JAVA, "return Pair.with(x, 2 * x);", "return Pair.with(x, x);",
        "System.exit(0); return null;", "return x;",
    ),
    "go": (GO, "return 2 * x }", "return x }", "panic(1) }", "return }"),
    "javascript": (JAVASCRIPT, "return 2 * x }", "return x }", "process.exit(0) }", "return ("),
    "typescript": (TYPESCRIPT, "return 2 * x }", "return x }", "while (x) x--; throw 1 }", "return ''}"),
}  # fmt: skip


@pytest.mark.parametrize("language", ANSWERS)
def test_a_language_tells_right_from_wrong(way, language):
    task, right, wrong, early, broken = ANSWERS[language]
    try:
        languages.program_for(language, "", "", LIMITS)
    except ToolMissing as error:
        pytest.skip(str(error))

    verdicts = [judge.judge(task, each, LIMITS, way) for each in (right, wrong, early, broken)]

    assert [each.verdict for each in verdicts] == [
        "passed",
        "failed",
        "failed",
        "did not compile",
    ], verdicts


def test_halves_of_characters_do_not_compile_and_stop_nothing(way):
    judged = judge.judge(DOUBLE, "    return '\ud800'", LIMITS, way)

    assert judged.verdict in ("failed", "did not compile")


def test_a_stand_in_on_the_path_is_asked_for_the_tool_itself(monkeypatch, tmp_path):
    stand_in = tmp_path / "shims" / "node"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\necho /real/versions/20/bin/node\n", encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:/bin")
    languages.find_tool.cache_clear()
    try:
        tool = languages.find_tool("node", "install Node.js")
    finally:
        languages.find_tool.cache_clear()

    assert tool == languages.Tool("/real/versions/20/bin/node", ("/real/versions/20",))


@pytest.mark.parametrize("language", [each for each in languages.LANGUAGES if each != "python"])
def test_a_missing_tool_is_named_with_what_to_install(language, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    languages.find_tool.cache_clear()
    try:
        judged = judge.judge(a_task(language, "", ""), "", LIMITS, "none")
    finally:
        languages.find_tool.cache_clear()

    assert judged.verdict == "no compiler"
    assert "install" in judged.detail


def test_an_unknown_language_is_named_with_those_known():
    with pytest.raises(ToolMissing, match="lua cannot be run: known are python, javascript"):
        languages.program_for("lua", "", "", LIMITS)


def test_a_compiler_that_does_not_answer_is_said(monkeypatch):
    def refuse(*_arguments, **_more):
        raise subprocess.CalledProcessError(1, "rustc")

    monkeypatch.setattr(languages.shutil, "which", lambda name: f"/tools/{name}")
    monkeypatch.setattr(languages.subprocess, "run", refuse)
    languages.find_tool.cache_clear()
    try:
        with pytest.raises(ToolMissing, match="does not answer"):
            languages.find_tool("rustc", "install Rust")
    finally:
        languages.find_tool.cache_clear()


# pass@k


@pytest.mark.parametrize(
    ("n", "correct", "k"), [(5, 2, 1), (5, 2, 3), (7, 0, 4), (6, 6, 2), (8, 3, 6)]
)
def test_pass_at_k_is_the_share_of_all_choices_of_k_that_hold_a_right_one(n, correct, k):
    choices = list(itertools.combinations(range(n), k))
    expected = sum(min(choice) < correct for choice in choices) / len(choices)

    assert judge.pass_at_k(n, correct, k) == pytest.approx(expected)


def test_pass_at_k_of_many_samples_is_exact():
    assert judge.pass_at_k(200, 1, 100) == pytest.approx(0.5)
    assert judge.pass_at_k(1000, 3, 1) == pytest.approx(0.003)


@pytest.mark.parametrize(("n", "correct", "k"), [(1, 0, 2), (5, 6, 1), (5, 1, 0)])
def test_pass_at_k_refuses_what_cannot_be(n, correct, k):
    with pytest.raises(ValueError, match="samples a task"):
        judge.pass_at_k(n, correct, k)


def test_the_interval_is_wilsons():
    low, high = judge.interval(0.5, 100)

    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    assert judge.interval(0.0, 164)[0] == 0.0
    assert 0.02 < judge.interval(0.0, 164)[1] < 0.03
    assert judge.interval(1.0, 10)[1] == pytest.approx(1.0)
    assert not any(math.isnan(each) for each in judge.interval(0.0, 0))
