"""GGUF files that are damaged, too large, or not what they seem: refused, with what to do."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
import torch

import engine
from engine import (
    ModelUnavailable,
    gguf_tokenizer,
    llama_library,
    llama_model,
)
from engine.checkpoint import read_checkpoint
from tests.support.families import family_net
from tests.support.gguf import vocabulary_of, write_net

if TYPE_CHECKING:
    from pathlib import Path

if importlib.util.find_spec("xllamacpp") is None:
    pytest.skip("xllamacpp (llama.cpp as a wheel) is not installed", allow_module_level=True)


def cut(path: Path, tmp_path: Path, share: float) -> Path:
    short = tmp_path / "short.gguf"
    whole = path.read_bytes()
    short.write_bytes(whole[: int(len(whole) * share)])
    return short


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.05, 0.5, 0.9999])
def test_a_file_that_was_not_copied_to_its_end_is_refused(
    gguf_files: dict[str, Path], tmp_path: Path, share: float
) -> None:
    with pytest.raises(ModelUnavailable, match="copy it again"):
        engine.load(cut(gguf_files["q8_0"], tmp_path, share))


def test_what_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.gguf", b"PK\x03\x04 pickles"), ("b.gguf", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelUnavailable, match=r"no GGUF file|cannot be read"):
            engine.load(tmp_path / name)
    with pytest.raises(ModelUnavailable, match="no model at"):
        engine.load(tmp_path / "none.gguf")


@pytest.mark.parametrize(
    ("was", "now"),
    [(b'"psm"', b'"psx"'), (b'{"prefix"', b'["prefix"'), (b'"<prefix>"', b'"<suffix>"')],
)
def test_a_damaged_layout_is_refused(
    gguf_files: dict[str, Path], tmp_path: Path, was: bytes, now: bytes
) -> None:
    damaged = tmp_path / "damaged.gguf"
    whole = gguf_files["f32"].read_bytes()
    assert was in whole
    damaged.write_bytes(whole.replace(was, now))

    with pytest.raises(ModelUnavailable, match=r"damaged.*copy it again"):
        read_checkpoint(damaged)


def test_another_version_of_the_format_is_refused(
    gguf_files: dict[str, Path], tmp_path: Path
) -> None:
    old = tmp_path / "old.gguf"
    whole = gguf_files["f32"].read_bytes()
    old.write_bytes(whole[:4] + (1).to_bytes(4, "little") + whole[8:])

    with pytest.raises(ModelUnavailable, match="version 1 of GGUF, 2 and 3 are read: convert"):
        engine.load(old)


def test_an_architecture_that_llama_cpp_does_not_know_is_refused(
    gguf_files: dict[str, Path], tmp_path: Path
) -> None:
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(gguf_files["f32"].read_bytes().replace(b"llama", b"zebra"))

    with pytest.raises(ModelUnavailable, match=r"zebra.*or choose another model"):
        engine.load(strange)


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    import gguf

    first = tmp_path / "m-00001-of-00002.gguf"
    writer = gguf.GGUFWriter(first, "llama")
    writer.add_uint16("split.count", 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with pytest.raises(ModelUnavailable, match=r"m-00002-of-00002.gguf is missing: copy all 2"):
        read_checkpoint(first)
    second = tmp_path / "n-00002-of-00003.gguf"
    second.write_bytes(first.read_bytes())
    with pytest.raises(ModelUnavailable, match=r"n-00001-of-00003.gguf is missing"):
        read_checkpoint(second)
    renamed = tmp_path / "renamed.gguf"
    renamed.write_bytes(first.read_bytes())
    with pytest.raises(ModelUnavailable, match="one of 2 parts but has another name"):
        read_checkpoint(renamed)


def test_more_than_the_machine_has_is_refused_at_once(
    gguf_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_model, "memory", lambda: 1000)

    with pytest.raises(ModelUnavailable, match="there is no memory for tiny"):
        engine.load(gguf_files["f32"])


@pytest.mark.parametrize("function", ["llama_model_load_from_file", "llama_init_from_model"])
def test_where_llama_cpp_finds_no_room_that_is_said(
    gguf_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    library = llama_library.llama()

    def fails(*_: Any) -> None:
        library._hear(4, b"alloc_buffer: failed to allocate 9 MiB\n", None)

    monkeypatch.setitem(library.call, function, fails)

    with pytest.raises(ModelUnavailable, match=r"no memory for tiny.*choose a smaller model"):
        engine.load(gguf_files["f32"])


@pytest.mark.parametrize("kind", ["recurrent", "hybrid"])
def test_a_memory_that_cannot_be_rewound_is_refused(
    gguf_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(llama_library.llama().call, f"llama_model_is_{kind}", lambda _: True)

    with pytest.raises(ModelUnavailable, match="cannot be rewound: choose a model with attention"):
        engine.load(gguf_files["f32"])


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    net = family_net("qwen2")
    with torch.no_grad():
        net.model.norm.weight[3] = float("nan")
    path = write_net(tmp_path / "nan.gguf", "qwen2", net, vocabulary_of())

    with pytest.raises(ModelUnavailable, match=r"no numbers .NaN.: its file is damaged, copy it"):
        engine.load(path)


def test_without_the_extra_its_name_is_said(
    gguf_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_tokenizer, "llama", llama_library.llama.__wrapped__)
    monkeypatch.setattr(llama_library, "library_path", lambda: None)

    with pytest.raises(ModelUnavailable, match="its extra llama-cpp, or pip install xllamacpp"):
        engine.load(gguf_files["f32"])


def test_a_library_of_another_layout_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    path = llama_library.library_path()
    assert path is not None
    monkeypatch.setitem(llama_library._CONTEXT_DEFAULTS, "n_threads", 512)

    with pytest.raises(
        ModelUnavailable, match=r"n_threads is not where .* pip install xllamacpp=="
    ):
        llama_library.Llama(path)
