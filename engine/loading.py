"""From what a person calls a model to a Completer; torch is loaded when one is needed."""

from collections.abc import Callable
from pathlib import Path

from engine.api import Completer, ModelUnavailable
from engine.backends import Wish, candidates
from engine.checkpoint import read_checkpoint
from engine.choice import preferred
from engine.remote import WorkerCompleter, WorkerState

DEFAULT_MODEL = Path(__file__).parent / "models" / "default"
SCRIPTED = "scripted:"


def load(
    model: str | Path | None = None,
    *,
    dtype: str = "auto",
    threads: int = 0,
    backend: str = "auto",
    device: str = "auto",
    prompt_tokens: int = 0,
    timings: str | Path | None = None,
) -> Completer:
    """A completer in this process.

    `model` is a checkpoint folder, a GGUF file, None or "" for the embedded default, or
    "scripted:..." (see engine.scripted). `backend` is native, openvino, torch, llama_cpp or auto, `device` cpu, cuda, mps or auto,
    `dtype` float32, bfloat16 or auto; `threads` 0 leaves the number to the machine, `prompt_tokens`
    0 to the model. `timings` is the file that says which backend was the fastest (engine.choice).
    Raises ModelUnavailable with the remedy.
    """
    if str(model or "").startswith(SCRIPTED):
        from engine.scripted import load_script

        return load_script(str(model).removeprefix(SCRIPTED))
    if dtype not in ("auto", "float32", "bfloat16"):
        raise ModelUnavailable(f"no precision is called {dtype!r}: use float32, bfloat16 or auto")
    wish = Wish(backend, dtype, threads, device)
    candidates(wish)
    # First what needs no weights: a folder that is not right is refused at once.
    checkpoint = read_checkpoint(folder_of(model))
    from engine.local import LocalCompleter

    try:
        first = preferred(Path(timings) if timings else None, checkpoint, wish)
        return LocalCompleter(checkpoint, wish, prompt_tokens=prompt_tokens, preferred=first)
    except MemoryError as error:
        size = sum(path.stat().st_size for path in checkpoint.weights) / 1e6
        raise ModelUnavailable(
            f"there is no memory for {checkpoint.name} ({size:,.0f} MB of weights): close other "
            "programs, or choose a smaller model"
        ) from error


def load_in_worker(
    model: str | Path | None = None,
    *,
    dtype: str = "auto",
    threads: int = 0,
    backend: str = "auto",
    device: str = "auto",
    prompt_tokens: int = 0,
    timings: str | Path | None = None,
    on_state: Callable[[WorkerState], None] | None = None,
) -> WorkerCompleter:
    """The same in a child process, at once; the model loads meanwhile.

    `describe` waits for it and raises ModelUnavailable where it cannot be loaded; `on_state` hears
    of every change, on a thread of the completer's. A child that dies is replaced. Where `timings`
    knows nothing of this model yet, the backends are timed once nobody asks for a while, for the
    next start.
    """
    name = str(model or "")
    if not name.startswith(SCRIPTED):
        name = str(folder_of(model))
    return WorkerCompleter(
        {
            "model": name,
            "dtype": dtype,
            "threads": threads,
            "backend": backend,
            "device": device,
            "timings": str(timings or ""),
            "prompt_tokens": prompt_tokens,
        },
        on_state,
    )


def folder_of(model: str | Path | None) -> Path:
    """The folder or GGUF file meant; ModelUnavailable when the embedded default is not there."""
    if model:
        return Path(model).expanduser().resolve()
    if not (DEFAULT_MODEL / "config.json").is_file():
        raise ModelUnavailable(
            "this installation has no embedded model: reinstall Footnote, or name a checkpoint "
            "folder or GGUF file (`--model`, or the setting `footnote.model`)"
        )
    return DEFAULT_MODEL
