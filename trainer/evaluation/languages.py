"""How a program of each language is compiled and run, and how it says that its tests are through.

Every program ends in a statement that prints a word made up for this run. Where the tests end the
program early, or the completion does (exit(0) before them), the word is missing and it has failed.
"""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainer.evaluation.sandbox import MB, Program, Step, python, python_home

COMPILER_SECONDS = 90.0
COMPILER_BYTES = 3000 * MB


class ToolMissing(Exception):
    """A language cannot be run here; the message names what to install."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use while it runs; compilers have their own."""

    seconds: float
    megabytes: int


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of the toolchain and what must be readable for it to run."""

    path: str
    visible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Language:
    name: str
    tools: Mapping[str, str]  # what must be on PATH, and what to install for it
    build: Callable[[str, str, Limits, Mapping[str, Tool]], Program]
    how: str  # stands in the protocol
    marks: tuple[str, ...] = field(default=())  # of an interpreter that refused the source


def program_for(language: str, source: str, word: str, limits: Limits) -> Program:
    """The program that prints `word` after its tests. ToolMissing when it cannot be run here."""
    known = LANGUAGES.get(language)
    if known is None:
        raise ToolMissing(
            f"{language} cannot be run: known are {', '.join(LANGUAGES)}; leave these tasks out "
            "with --language"
        )
    tools = {name: find_tool(name, install) for name, install in known.tools.items()}
    return known.build(source, word, limits, tools)


@functools.cache
def find_tool(name: str, install: str) -> Tool:
    """A tool on PATH by its real place, for the box has no home folder and no links into one."""
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(f"there is no `{name}` here: {install}")
    real = os.path.realpath(found)
    visible = []
    if real.startswith("/usr/"):
        real = found if found.startswith(("/usr/", "/bin/")) else real
    else:
        real = _ask(found, name, install)
        visible.append(str(Path(real).parent.parent))
    # Debian keeps the settings of a Java machine there, and links to them from its folder.
    visible += [str(each) for each in Path("/etc").glob("java*")] if name.startswith("java") else []
    return Tool(real, tuple(visible))


# What stands on PATH may be a version manager's stand-in, which looks into the home folder: asked
# like this, the tool itself says where it is.
_WHERE = {
    "rustc": (("--print", "sysroot"), "bin/rustc"),
    "go": (("env", "GOROOT"), "bin/go"),
    "node": (("-p", "process.execPath"), ""),
}


def _ask(found: str, name: str, install: str) -> str:
    if name not in _WHERE:
        return os.path.realpath(found)
    question, below = _WHERE[name]
    try:
        answer = subprocess.run(
            [found, *question], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolMissing(f"`{name}` does not answer ({error}): {install}") from error
    return os.path.realpath(Path(answer.stdout.strip(), below))


def _visible(tools: Mapping[str, Tool]) -> tuple[str, ...]:
    return tuple(each for tool in tools.values() for each in tool.visible)


def _compile(command: tuple[str, ...], env: Mapping[str, str] | None = None) -> Step:
    return Step("compile", command, COMPILER_SECONDS, COMPILER_BYTES, env=env or {})


def _run(
    command: tuple[str, ...],
    limits: Limits,
    *,
    stdin: str = "",
    remove: tuple[str, ...] = (),
    reserves: bool = False,
) -> Step:
    """The step that counts. A runtime that `reserves` address space is limited by what it uses."""
    return Step(
        "run",
        command,
        limits.seconds,
        limits.megabytes * MB,
        address_space=not reserves,
        stdin=stdin,
        remove=remove,
    )


def _before_the_last_brace(source: str, statement: str) -> str:
    """In MultiPL-E's files that brace closes main."""
    head, brace, tail = source.rpartition("}")
    return f"{head}{statement}\n{brace}{tail}" if brace else source


def _python(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    del tools
    # Through stdin: the source with the word in it is in no file that the program could open.
    closing = f"\n__import__('sys').stdout.flush()\n__import__('os').write(1, b'\\n{word}\\n')\n"
    step = _run((*python(), "-"), limits, stdin=source + closing)
    return Program({}, (step,), (python_home(),))


def _javascript(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    closing = f"\n;globalThis.process.stdout.write('\\n{word}\\n');\n"
    step = _run((*_node(tools, limits), "-"), limits, stdin=source + closing, reserves=True)
    return Program({}, (step,), _visible(tools))


def _node(tools: Mapping[str, Tool], limits: Limits) -> tuple[str, ...]:
    return (tools["node"].path, f"--max-old-space-size={limits.megabytes}")


def _typescript(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    closing = f"\n;(globalThis as any).process.stdout.write('\\n{word}\\n');\n"
    compiler = (tools["node"].path, tools["tsc"].path)
    options = ("--target", "es2022", "--module", "commonjs", "main.ts")
    steps = (
        _compile((*compiler, *options)),
        _run((*_node(tools, limits), "main.js"), limits, reserves=True),
    )
    return Program({"main.ts": source + closing}, steps, _visible(tools))


def _java(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    # A class of its own calls the tests: what ends the machine early never comes back to it.
    judge = (
        "class Judge { public static void main(String[] arguments) throws Throwable { "
        f'Problem.main(arguments); System.out.println("\\n{word}"); }} }}'
    )
    files = {"Problem.java": source, "Judge.java": judge, **_tuples(source)}
    quick = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")
    machine = (*quick, f"-Xmx{limits.megabytes}m", "-Xss16m", "-ea", "-cp", ".", "Judge")
    steps = (
        _compile((tools["javac"].path, "-nowarn", "-encoding", "UTF-8", "-d", ".", *files)),
        _run((tools["java"].path, *machine), limits, remove=tuple(files), reserves=True),
    )
    return Program(files, steps, _visible(tools))


def _tuples(source: str) -> dict[str, str]:
    """MultiPL-E's Java imports org.javatuples: the classes of it that tasks use, ours."""
    if "org.javatuples" not in source:
        return {}
    names = {2: "Pair", 3: "Triplet", 4: "Quartet"}
    return {f"org/javatuples/{name}.java": _tuple(name, size) for size, name in names.items()}


def _tuple(name: str, size: int) -> str:
    kinds = ", ".join(f"T{each}" for each in range(size))
    taken = ", ".join(f"T{each} v{each}" for each in range(size))
    values = ", ".join(f"v{each}" for each in range(size))
    kept = "".join(f" this.v{each} = v{each};" for each in range(size))
    getters = "".join(
        f" public T{each} getValue{each}() {{ return v{each}; }}" for each in range(size)
    )
    fields = "".join(f" private final T{each} v{each};" for each in range(size))
    return (
        f"package org.javatuples; public final class {name}<{kinds}> {{{fields}"
        f" public {name}({taken}) {{{kept} }}"
        f" public static <{kinds}> {name}<{kinds}> with({taken}) {{"
        f" return new {name}<>({values}); }}{getters}"
        f" private java.util.List<Object> all() {{ return java.util.Arrays.asList({values}); }}"
        " @Override public boolean equals(Object other) {"
        f" return other instanceof {name} && all().equals((({name}<?{', ?' * (size - 1)}>) other)"
        ".all()); }"
        " @Override public int hashCode() { return all().hashCode(); }"
        " @Override public String toString() { return all().toString(); } }\n"
    )


def _cpp(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    text = _before_the_last_brace(source, f'std::cout << std::endl << "{word}" << std::endl;')
    steps = (
        _compile((tools["g++"].path, "-std=c++17", "-o", "main", "main.cpp")),
        _run(("./main",), limits, remove=("main.cpp",)),
    )
    return Program({"main.cpp": f"#include <iostream>\n{text}"}, steps, _visible(tools))


def _rust(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    text = _before_the_last_brace(source, f'std::println!("\\n{word}");')
    compiler = (tools["rustc"].path, "--edition", "2021", "-A", "warnings")
    steps = (
        _compile((*compiler, "-C", f"linker={tools['cc'].path}", "-o", "main", "main.rs")),
        _run(("./main",), limits, remove=("main.rs",)),
    )
    return Program({"main.rs": text}, steps, _visible(tools))


def _go(source: str, word: str, limits: Limits, tools: Mapping[str, Tool]) -> Program:
    package = re.search(r"^package\s+(\w+)", source, re.MULTILINE)
    judge = (
        f"package {package.group(1) if package else 'main'}\n"
        'import ("fmt"; "os"; "testing")\n'
        "func TestMain(m *testing.M) { code := m.Run(); "
        f'if code == 0 {{ fmt.Println("\\n{word}") }}; os.Exit(code) }}\n'
    )
    files = {"main_test.go": source, "judge_test.go": judge}
    environment = {
        "GOCACHE": "{box}/.cache",
        "GOPATH": "{box}/.go",
        "HOME": "{box}",
        "CGO_ENABLED": "0",
        "GO111MODULE": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-vet=off",
    }
    steps = (
        _compile((tools["go"].path, "test", "-c", "-o", "main", *files), env=environment),
        _run(("./main",), limits, remove=tuple(files), reserves=True),
    )
    return Program(files, steps, _visible(tools))


_JDK = "install a JDK (default-jdk, openjdk)"
_NODE = "install Node.js 18 or newer"
LANGUAGES = {
    each.name: each
    for each in (
        Language(
            "python",
            {},
            _python,
            "python -I -S: the standard library alone",
            ("SyntaxError", "IndentationError", "TabError"),
        ),
        Language("javascript", {"node": _NODE}, _javascript, "node", ("SyntaxError",)),
        Language(
            "typescript",
            {"node": _NODE, "tsc": "install TypeScript (npm install -g typescript)"},
            _typescript,
            "tsc --target es2022, where a type error is a failure; then node",
        ),
        Language(
            "java",
            {"javac": _JDK, "java": _JDK},
            _java,
            "javac, java -ea, with classes of our own for org.javatuples",
        ),
        Language("cpp", {"g++": "install g++ (build-essential)"}, _cpp, "g++ -std=c++17"),
        Language("go", {"go": "install Go (golang)"}, _go, "go test -c, without modules"),
        Language(
            "rust",
            {"rustc": "install Rust (rustc)", "cc": "install a C compiler, which rustc links with"},
            _rust,
            "rustc --edition 2021, standard library alone",
        ),
    )
}
