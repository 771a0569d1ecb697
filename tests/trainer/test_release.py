"""A release: complete, loadable by everybody it is for, and never half-written."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import load
from engine.api import CancelToken, CompletionOptions, Gap, ModelUnavailable
from engine.checkpoint import open_folder, read_checkpoint, read_tensors
from engine.model import Model
from tests.support.published import UGLY, edit_json, write_bigcode
from tests.support.tiny import write_tiny
from trainer.commands.release import main
from trainer.release import int8
from trainer.release.precision import load_model, replace_weights

APACHE = ("--license", "apache-2.0")


@pytest.fixture
def tiny(tmp_path) -> Path:
    return write_tiny(tmp_path / "tiny")


def left_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_the_folder_holds_what_it_should(released) -> None:
    names = {
        each.relative_to(released).as_posix() for each in released.rglob("*") if each.is_file()
    }

    assert names == {
        "DATA_CARD.md", "LICENSE", "NOTICE", "README.md", "SHA256SUMS", "SOURCES.csv", "config.json",
        "evaluation.json", "footnote-tiny-F16.gguf", "footnote-tiny-Q8_0.gguf", "footnote.json",
        "int8/config.json", "int8/footnote.json", "int8/int8.safetensors", "int8/tokenizer.json",
        "int8/tokenizer_config.json", "loss.json", "loss.png", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert left_in(released.parent) == ["loss.json", "out"]


def test_the_weights_are_those_of_the_checkpoint_to_the_byte(released, finished) -> None:
    name = "model.safetensors"
    assert (released / name).read_bytes() == (finished / "export" / name).read_bytes()


def test_transformers_loads_it_and_gives_the_logits_of_the_checkpoint(released, finished) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ours, theirs = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        for folder in (finished / "export", released)
    )
    tokenizer = AutoTokenizer.from_pretrained(released, local_files_only=True)
    ids = tokenizer("def area(radius):\n    return", return_tensors="pt").input_ids
    with torch.inference_mode():
        assert float((ours(ids).logits - theirs(ids).logits).abs().max()) < 1e-4


@pytest.mark.parametrize("form", [".", "int8"])
def test_the_engine_computes_what_transformers_computes(released, form) -> None:
    """Two implementations that share no code, within 1e-4 in float32."""
    checkpoint = read_checkpoint(released / form)
    ours = Model(checkpoint.shape, read_tensors(checkpoint), dtype="float32")
    theirs = load_model(released)
    if form == "int8":
        replace_weights(theirs, read_tensors(open_folder(released / form)))
    tokens = list(range(16, 80))
    found = ours.logits(ours.feed(tokens, 0, ours.new_cache(128)))
    with torch.inference_mode():
        expected = theirs(torch.tensor([tokens])).logits[0]

    assert float((found.float() - expected).abs().max()) < 1e-4
    assert load(released / form, dtype="float32", threads=1).describe().name == "footnote-tiny"


def test_two_releases_of_one_checkpoint_are_the_same_to_the_byte(tiny, tmp_path) -> None:
    for name in ("first", "second"):
        asked = ["--out", str(tmp_path / name), *APACHE, "--gguf", "q8_0", "--int8", "--no-measure"]
        assert main([str(tiny), *asked]) == 0

    first, second = (tmp_path / name / "SHA256SUMS" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_the_tokenizer_in_transformers_is_the_engines(released) -> None:
    from transformers import AutoTokenizer

    from engine.tokenizer import load_tokenizer

    tokenizer = AutoTokenizer.from_pretrained(released, local_files_only=True)
    ours = load_tokenizer(released / "tokenizer.json")
    for text in UGLY:
        found = tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
        assert found == ours.encode(text)


def test_the_example_in_the_card_runs(released, capsys) -> None:
    card = (released / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert code
    exec(code[1], {"FOLDER": str(released)})

    assert capsys.readouterr().out


def test_the_engine_runs_int8_by_its_path_and_reads_rows_times_scales(released, finished) -> None:
    stored = load_file(released / "int8" / "int8.safetensors")
    original = dict(read_tensors(open_folder(finished / "export")))
    read = dict(read_tensors(open_folder(released / "int8")))

    assert read.keys() == original.keys()
    for name, tensor in original.items():
        if tensor.dim() != 2:
            assert torch.equal(read[name], tensor)
            continue
        scale = stored[name + "_scale"]
        assert stored[name].dtype == torch.int8
        assert torch.allclose(scale, tensor.float().abs().amax(dim=1) / 127)
        # Half a step of its own row is the most that rounding may move a weight.
        assert bool(((read[name] - tensor.float()).abs() <= scale[:, None] * 0.5001).all())
    gap = Gap(prefix="def area(radius):\n    return ", suffix="\n")
    completer = load(released / "int8", dtype="float32", threads=1)
    assert completer.complete(gap, CompletionOptions(), CancelToken()).stop_reason


def test_int8_that_this_version_does_not_read_is_refused(released, tmp_path) -> None:
    folder = shutil.copytree(released / "int8", tmp_path / "later")
    edit_json(folder / "footnote.json", quantization={"method": "int3 blocks"})

    with pytest.raises(ModelUnavailable, match=r"int3 blocks.*update Footnote"):
        open_folder(folder)


def test_transformers_does_not_take_int8_for_weights(released) -> None:
    from transformers import AutoModelForCausalLM

    with pytest.raises(OSError, match="no file named"):
        AutoModelForCausalLM.from_pretrained(released / "int8", local_files_only=True)


def test_rows_of_zeros_stay_zeros() -> None:
    values, scale = int8.quantize(torch.tensor([[0.0, 0.0], [2.0, -1.0]]))

    assert values.tolist() == [[0, 0], [127, -64]]
    assert scale.tolist() == pytest.approx([0.0, 2 / 127])


def test_shards_of_int8_keep_scales_beside_rows(tiny, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("engine.checkpoint._SHARD_BYTES", 5_000)
    arguments = ["--out", str(tmp_path / "out"), *APACHE, "--int8", "--no-measure"]
    assert main([str(tiny), *arguments]) == 0
    folder = open_folder(tmp_path / "out" / "int8")

    assert len(folder.weights) > 3
    assert dict(read_tensors(folder)).keys() == dict(read_tensors(open_folder(tiny))).keys()


def test_float32_is_exact_and_says_so(tiny, tmp_path, sample, capsys) -> None:
    for path in tiny.glob("*.safetensors"):
        halves = {name: each.bfloat16() for name, each in load_file(path).items()}
        save_file(halves, path, metadata={"format": "pt"})
        edit_json(
            tiny / "footnote.json",
            weights={path.name: hashlib.sha256(path.read_bytes()).hexdigest()},
        )
    out = tmp_path / "out"
    assert (
        main([str(tiny), "--out", str(out), *APACHE, "--dtype", "float32", "--sample", str(sample)])
        == 0
    )

    exact = dict(read_tensors(open_folder(tiny)))
    assert {each.dtype for _, each in read_tensors(open_folder(out))} == {torch.float32}
    assert all(
        torch.equal(each, exact[name].float()) for name, each in read_tensors(open_folder(out))
    )
    assert json.loads((out / "config.json").read_text())["dtype"] == "float32"
    assert "safetensors, float32" in capsys.readouterr().out


def test_another_publishers_checkpoint_gets_a_record_and_nothing_invented(tmp_path, sample) -> None:
    folder, out = write_bigcode(tmp_path / "starcoder"), tmp_path / "out"
    arguments = ["--license", "openrail-m", "--gguf", "f16", "--int8", "--sample", str(sample)]
    assert main([str(folder), "--out", str(out), *arguments]) == 0
    card, data = (out / "README.md").read_text(), (out / "DATA_CARD.md").read_text()
    about = json.loads((out / "footnote.json").read_text())

    assert about["fim"]["prefix"] == "<fim_prefix>"
    assert set(about["weights"]) == {"model.safetensors"}
    assert "tokens: not recorded; steps: not recorded" in card
    assert "footnote complete" not in card  # the engine does not run GPTBigCode
    assert "does not record what it was trained on" in data


def test_verify_finds_what_was_changed_lost_and_added(released, tmp_path, capsys) -> None:
    folder = shutil.copytree(released, tmp_path / "copy")
    assert main(["--verify", str(folder)]) == 0
    (folder / "README.md").write_text("other")
    (folder / "LICENSE").unlink()
    (folder / "virus.py").write_text("")

    assert main(["--verify", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "changed: README.md" in said
    assert "missing: LICENSE" in said
    assert "not listed: virus.py" in said


def test_the_sums_are_those_of_sha256sum(released) -> None:
    for line in (released / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((released / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../outside", f"{'0' * 64}  /etc/hosts"])
def test_a_list_of_hashes_that_leads_outside_is_refused(tmp_path, line, capsys) -> None:
    (tmp_path / "SHA256SUMS").write_text(line + "\n")

    assert main(["--verify", str(tmp_path)]) == 2
    assert "a line that is no hash of a file here" in capsys.readouterr().err


def test_verifying_what_is_no_release_says_so(tmp_path, capsys) -> None:
    assert main(["--verify", str(tmp_path)]) == 2
    assert "no SHA256SUMS: it is no release" in capsys.readouterr().err
