"""`footnote bench completion`: typing in files the model has not seen, beside generate() and llama.cpp."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import Completer, Gap, ModelUnavailable
from engine.backends import NATIVE
from engine.checkpoint import read_checkpoint
from engine.cores import physical_cores, threads_for
from engine.devices import CPU, DEVICES
from engine.shape import Shape
from indexer.home import held_out_folder
from indexer.shards import CorpusUnavailable, read_documents
from trainer.evaluation import llama_peer
from trainer.evaluation.conversation import ServerLost
from trainer.evaluation.floors import floors
from trainer.evaluation.keystrokes import TYPED, Session, folder_documents, sessions
from trainer.evaluation.latency import (
    OPTIONS,
    Row,
    Sample,
    cancel_latencies,
    in_turn,
    machine,
    memory_mb,
    percentile,
    rates,
    row_of,
    timed,
    where_it_ran,
)
from trainer.evaluation.llama_peer import LlamaServer
from trainer.evaluation.report import model_path, progress, quiet, table, write_json
from trainer.evaluation.served import described, through_protocol

if TYPE_CHECKING:
    from engine.local import LocalCompleter
    from trainer.evaluation.generate import Generator

_LIMIT = 32  # new tokens, as the engine's own for a line
LLAMA = "llama.cpp Q8_0, its prompt cache on"
LLAMA_FILE = "llama.cpp, its prompt cache on"  # with the file that was given
THROUGH = "footnote on llama.cpp Q8_0"
_PRECISIONS = ("float32", "bfloat16")
_PLAIN = "footnote float32"


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        result = _measure(options)
    except (CorpusUnavailable, ModelUnavailable, ServerLost, OSError, ValueError) as error:
        sys.stderr.write(f"footnote bench completion: {error}\n")
        return 2
    if options.json == "-":
        print(json.dumps(result, indent=1))
        return 0
    _print(result)
    if options.json:
        write_json(Path(options.json), result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote bench completion",
        description="Type in real files, accept, jump and edit, and time every completion.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, help="source files (default: the held-out packages)"
    )
    parser.add_argument(
        "--model", type=Path, help="checkpoint folder or GGUF file (default: the embedded one)"
    )
    parser.add_argument("--sessions", type=int, default=12, help="files to work in (default 12)")
    parser.add_argument("--keystrokes", type=int, default=10, help="in each file (default 10)")
    parser.add_argument(
        "--prompt-tokens",
        type=int,
        default=0,
        metavar="N",
        help="at most (default: what the model is best served with)",
    )
    parser.add_argument("--alone", action="store_true", help="leave the others out")
    parser.add_argument(
        "--protocol", action="store_true", help="measure the server alone, through the protocol"
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=CPU,
        help="where torch computes, ours and generate's (default: cpu); llama.cpp stays on the CPU",
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON to a file, or instead of text"
    )
    return parser


@dataclass(slots=True)
class _Engine:
    """What is measured, with its samples; `tokens` of every prompt where they are known."""

    name: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)  # by the kind of step
    tokens: list[list[int]] = field(default_factory=list)

    def add(self, kind: str, sample: Sample) -> None:
        self.samples.setdefault(kind, []).append(sample)


def typing_sessions(folder: Path | None, count: int, keystrokes: int) -> list[Session]:
    """Sessions in the files of a folder, or in the held-out packages; ValueError where none fits."""
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: name one with source files")
    documents = folder_documents(folder) if folder else read_documents(held_out_folder())
    found = sessions(documents, count=count, keystrokes=keystrokes)
    if not found:
        raise ValueError("no file is long enough to type in: name a folder with larger ones")
    return found


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    typed = typing_sessions(options.folder, options.sessions, options.keystrokes)
    folder = model_path(options.model)
    through = through_protocol(
        typed, folder, device=options.device, prompt_tokens=options.prompt_tokens
    )
    if options.protocol:
        return {"served": through}
    return {**_engines(options, folder, typed), "served": through}


def _engines(options: argparse.Namespace, folder: Path, typed: list[Session]) -> dict[str, Any]:
    import torch

    import engine

    started = time.perf_counter()
    worker = engine.load_in_worker(
        folder, device=options.device, prompt_tokens=options.prompt_tokens
    )
    llama: LlamaServer | None = None
    scratch = tempfile.mkdtemp(prefix="footnote-")
    try:
        info = worker.describe()
        loaded = time.perf_counter() - started
        cores = physical_cores()
        file = _file(folder, Path(scratch)) if folder.is_file() or not options.alone else None
        ours = _completers(folder, file, options)
        served = _Engine(f"footnote, served from its worker ({info.dtype})")
        runs = [_ours(served, worker, None)]
        engines = [served]
        for name, completer in ours.items():
            engines.append(_Engine(name))
            runs.append(_ours(engines[-1], completer, completer))
        asker = ours.get(_PLAIN) or next(iter(ours.values()))
        threads = 0
        if not options.alone and file is not None:
            llama = LlamaServer(file, threads=cores)
            engines.append(_Engine(LLAMA_FILE if file == folder else LLAMA))
            runs.append(_theirs_by(engines[-1], llama, asker))
        if not options.alone and file != folder:
            peers, threads = _peers(folder, asker, typed[0].steps[0].gap, options.device)
            for name, generator in peers.items():
                engines.append(_Engine(name))
                runs.append(_theirs(engines[-1], generator, asker))
        for each in runs:  # once for nothing: first use costs more and is nobody's keystroke
            each(Session("", typed[-1].steps[:2]))
        for measured in engines:
            measured.samples, measured.tokens = {}, []
        for turn, session in enumerate(progress(typed, "typing")):
            in_turn(runs, session, turn)
        cancels = cancel_latencies(worker, [session.steps[0].gap for session in typed] * 2)
        memory = memory_mb(worker.process_id, at_most=True)
    finally:
        worker.close()
        if llama is not None:
            llama.close()
        shutil.rmtree(scratch, ignore_errors=True)
    rows = [row_of(each.name, each.samples) for each in engines]
    shape = read_checkpoint(folder).shape
    return {
        "machine": f"{machine()}, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}",
        "model": {"name": info.name, "parameters": info.parameters, "dtype": info.dtype},
        "threads": {
            "served": threads_for(os.environ, cores, spare=0 if info.backend == NATIVE else 1),
            "footnote": torch.get_num_threads(),
            "llama.cpp": cores,
            "generate": threads,
        },
        "sessions": len(typed),
        "keystrokes": sum(step.kind == TYPED for session in typed for step in session.steps),
        "rows": [asdict(row) for row in rows],
        "ratios": _ratios(rows),
        "same_text": _agreement(engines),
        "cancel_ms": {"p50": percentile(cancels, 0.5), "p95": percentile(cancels, 0.95)},
        "worker_memory_mb": memory,
        "worker_ready_s": loaded,
        "rates": rates(served.samples),
        "ran": where_it_ran({each.name: each.samples.get(TYPED, []) for each in engines}),
        # Of an architecture that is left to transformers too little is known to say.
        "floors": asdict(floors(shape, info.parameters, rows[0].prompt_tokens, cores))
        if isinstance(shape, Shape) and options.device == CPU
        else None,
    }


def _completers(
    model: Path, file: Path | None, options: argparse.Namespace
) -> "dict[str, LocalCompleter]":
    """In this process, by name: llama.cpp's library with a file, and torch with a folder."""
    import engine
    from engine.local import LocalCompleter

    size, found = options.prompt_tokens, {}
    if file is not None:
        name = "footnote, in this process" if file == model else THROUGH
        found[name] = engine.load(file, threads=physical_cores(), prompt_tokens=size)
    if file != model:
        for dtype in _PRECISIONS:
            found[f"footnote {dtype}"] = engine.load(
                model, dtype=dtype, device=options.device, prompt_tokens=size
            )
    return {name: each for name, each in found.items() if isinstance(each, LocalCompleter)}


def _ours(measured: _Engine, completer: Completer, tokens_of: "LocalCompleter | None") -> Any:
    def run(session: Session) -> None:
        for step in session.steps:
            measured.add(step.kind, timed(completer, step.gap))
            if tokens_of is not None:
                measured.tokens.append(tokens_of.raw(tokens_of.request(step.gap, OPTIONS)).tokens)

    return run


def _file(model: Path, scratch: Path) -> Path | None:
    """The GGUF file itself, or the same weights in eight bits; None where llama.cpp is not here."""
    if model.is_file():
        return model
    if not llama_peer.is_installed():
        return None
    from trainer.release import gguf_file
    from trainer.release.source import ReleaseError, read_source

    file = scratch / "model.gguf"
    try:
        gguf_file.write(gguf_file.plan(read_source(model)), file, "q8_0", facts={})
    except ReleaseError as error:
        raise ValueError(f"llama.cpp cannot have this model: {error}; see --alone") from error
    return file


def _theirs_by(measured: _Engine, server: LlamaServer, ours: "LocalCompleter") -> Any:
    def run(session: Session) -> None:
        for step in session.steps:
            sample, tokens = server.run(ours.request(step.gap, OPTIONS), ours.tokenizer)
            measured.add(step.kind, sample)
            measured.tokens.append(tokens)

    return run


def _theirs(measured: _Engine, generator: "Generator", ours: "LocalCompleter") -> Any:
    def run(session: Session) -> None:
        for step in session.steps:
            sample, tokens = generator.run(ours.request(step.gap, OPTIONS))
            measured.add(step.kind, sample)
            measured.tokens.append(tokens)

    return run


def _peers(
    folder: Path, ours: "LocalCompleter", gap: Gap, device: str
) -> tuple[dict[str, "Generator"], int]:
    """generate() as it is and with its cache kept by hand, in two precisions; and its threads."""
    quiet()
    from engine.tokenizer import load_tokenizer
    from trainer.evaluation.generate import Generator, best_threads

    tokenizer = load_tokenizer(folder / "tokenizer.json")
    probe = Generator(
        folder, tokenizer, dtype="float32", keep_cache=False, threads=1, device=device
    )
    threads = best_threads(probe, ours.request(gap, OPTIONS))
    peers = {}
    for dtype in _PRECISIONS:
        for keep in (False, True):
            name = f"generate {dtype}" + (", cache kept by hand" if keep else "")
            peers[name] = Generator(
                folder, tokenizer, dtype=dtype, keep_cache=keep, threads=threads, device=device
            )
    return peers, threads


def _ratios(rows: list[Row]) -> dict[str, float]:
    """How many times longer others take for a warm keystroke than footnote at their precision.

    llama.cpp's eight bits stand beside what is served.
    """
    by_name = {row.engine: row for row in rows}
    found = {}
    for name in (LLAMA, LLAMA_FILE, THROUGH):
        if name in by_name:
            found[name] = by_name[name].typed_p50 / rows[0].typed_p50
    for dtype in _PRECISIONS:
        if (own := by_name.get(f"footnote {dtype}")) is None:
            continue
        for name, row in by_name.items():
            if name.startswith(f"generate {dtype}"):
                found[name] = row.typed_p50 / own.typed_p50
    return found


def _agreement(engines: list[_Engine]) -> dict[str, float]:
    """The share of prompts on which generate() at the same precision wrote the same tokens."""
    by_name = {each.name: each.tokens for each in engines}
    found = {}
    for dtype in _PRECISIONS:
        theirs = by_name.get(f"generate {dtype}", [])
        pairs = list(zip(by_name.get(f"footnote {dtype}", []), theirs, strict=False))
        if pairs:
            found[dtype] = sum(a == b for a, b in pairs) / len(pairs)
    return found


def _print(result: dict[str, Any]) -> None:
    if result["served"] is not None:
        print(*described(result["served"]), sep="\n", end="\n\n")
    if "rows" in result:
        _print_engines(result)


def _print_engines(result: dict[str, Any]) -> None:
    model, threads = result["model"], result["threads"]
    print(result["machine"])
    print(
        f"Model {model['name']}, {model['parameters'] / 1e6:.1f} M parameters. "
        f"{result['sessions']} files, {result['keystrokes']} keystrokes; "
        f"one line of at most {_LIMIT} tokens each, greedy."
    )
    given = ", ".join(f"{name} {count}" for name, count in threads.items() if count)
    print(f"Threads: {given} (generate: the faster number here).")
    print(
        "Milliseconds from asking to having the text, without pauses between: after a keystroke, an "
        "accepted line,\nan edit some lines above, a jump, the return to another file, and in a file "
        "never seen.\n"
    )
    print(table([{key: _short(value) for key, value in row.items()} for row in result["rows"]]))
    print()
    for name, ratio in result["ratios"].items():
        print(
            f"{name} takes {ratio:.1f} times as long as footnote at that precision (after a keystroke, p50)."
        )
    ran = ", ".join(f"{name} {ms:.1f}" for name, ms in result["ran"]["p50"].items())
    print(
        f"{result['ran']['keystrokes']} of {result['keystrokes']} keystrokes, as served, had something "
        f"to run; these, p50: {ran}."
    )
    for dtype, share in result["same_text"].items():
        print(f"Same tokens as generate in {dtype}: {share:.1%} of the prompts.")
    cancel = result["cancel_ms"]
    print(f"From cancelling to free: p50 {cancel['p50']:.1f} ms, p95 {cancel['p95']:.1f} ms.")
    if result["worker_memory_mb"]:
        print(f"Memory of the worker: {result['worker_memory_mb']:.0f} MB at most.")
    rates, floor = result["rates"], result["floors"]
    print(f"The worker was ready after {result['worker_ready_s']:.2f} s.")
    print(
        f"Served: a prompt in {rates['prefill_ms']:.0f} ms ({rates['prefill_tokens_s']:,.0f} tokens/s); "
        f"a run behind it {rates['step_ms']:.2f} ms, {rates['tokens_a_run']:.1f} tokens a run."
    )
    if floor is not None:
        print(
            f"The products of a prompt alone take {floor['prefill_ms']:.0f} ms at "
            f"{floor['int8_gops']:,.0f} Gop/s of int8; reading alone, of a run, "
            f"{floor['step_ms']:.2f} ms at {floor['read_gb_s']:.0f} GB/s."
        )


def _short(value: Any) -> Any:
    """One decimal is all that a milllisecond or a mean deserves."""
    return f"{value:.1f}".rjust(7) if isinstance(value, float) else value
