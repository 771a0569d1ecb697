"""What is not released, and what a release that fails leaves behind: nothing, and a reason."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.support.published import edit_json, write_bigcode
from tests.support.tiny import write_tiny
from trainer.commands.release import main

APACHE = ("--license", "apache-2.0")


@pytest.fixture
def tiny(tmp_path) -> Path:
    return write_tiny(tmp_path / "tiny")


def left_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def refused(capsys, *arguments: object) -> str:
    assert main([str(each) for each in arguments]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_a_folder_that_exists_is_replaced_only_by_force(tiny, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    asked = (tiny, "--out", out, *APACHE, "--no-measure")
    assert main([str(each) for each in asked]) == 0
    before = (out / "SHA256SUMS").read_bytes()

    assert "exists already" in refused(capsys, *asked)
    assert (out / "SHA256SUMS").read_bytes() == before
    assert main([str(each) for each in (*asked, "--int8", "--force")]) == 0
    assert (out / "int8").is_dir()
    assert left_in(tmp_path) == ["out", "tiny", "tiny-tokenizer"]


def test_force_replaces_nothing_that_no_release_wrote(tiny, tmp_path, capsys) -> None:
    precious, out = tmp_path / "precious", tmp_path / "out"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    asked = (*APACHE, "--no-measure", "--force")

    assert "is no release, so --force does not" in refused(capsys, tiny, "--out", precious, *asked)
    assert (precious / "thesis.txt").read_text() == "years"
    assert main([str(each) for each in (tiny, "--out", out, *asked)]) == 0
    (out / "notes.txt").write_text("mine")
    assert "not listed: notes.txt" in refused(capsys, tiny, "--out", out, *asked)
    assert (out / "notes.txt").read_text() == "mine"
    for inside in (tiny.parent, tiny, tiny / "out"):
        assert "lie in one another" in refused(capsys, tiny, "--out", inside, *asked)


def test_a_damaged_checkpoint_is_refused_before_anything_is_written(tiny, tmp_path, capsys) -> None:
    weights = tiny / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)

    assert "is damaged (its hash differs" in refused(
        capsys, tiny, "--out", tmp_path / "out", *APACHE
    )
    assert left_in(tmp_path) == ["tiny", "tiny-tokenizer"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, capsys, value) -> None:
    folder = write_bigcode(tmp_path / "diverged")
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.ln_f.weight"][3] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    said = refused(capsys, folder, "--out", tmp_path / "out", *APACHE)
    assert "1 of 32 numbers in transformer.ln_f.weight are not finite" in said


def test_int8_is_not_released_again(released, tmp_path, capsys) -> None:
    said = refused(capsys, released / "int8", "--out", tmp_path / "out", *APACHE)
    assert "release the checkpoint that they were made from" in said


def test_the_folder_of_a_run_is_told_from_its_export(finished, tmp_path, capsys) -> None:
    said = refused(capsys, finished, "--out", tmp_path / "out", *APACHE)
    assert f"name the model it exported, {finished / 'export'}" in said


def test_code_of_a_publisher_is_not_passed_on(tiny, tmp_path, capsys) -> None:
    edit_json(tiny / "config.json", auto_map={"AutoModel": "theirs.Model"})
    assert "auto_map" in refused(capsys, tiny, "--out", tmp_path / "out", *APACHE)


def test_a_model_that_fills_no_gaps_is_not_released(tmp_path, capsys) -> None:
    folder = write_bigcode(tmp_path / "plain")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("fim_", "other_"))
    assert "no fill-in-the-middle tokens" in refused(
        capsys, folder, "--out", tmp_path / "out", *APACHE
    )


def test_weights_that_transformers_would_not_find_are_refused(tmp_path, sample, capsys) -> None:
    folder = write_bigcode(tmp_path / "other")
    edit_json(folder / "config.json", n_layer=3)
    said = refused(capsys, folder, "--out", tmp_path / "out", *APACHE, "--sample", sample)

    assert "transformers finds missing keys" in said
    assert left_in(tmp_path) == ["other"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--license", "mit"],
        ["--license", "apache-2.0", "--gguf", "q4_k_m"],
        [],
        ["--license", "apache-2.0", "--gguf", ","],
    ],
)
def test_what_cannot_be_asked_for_is_named(tiny, tmp_path, arguments, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tiny), "--out", str(tmp_path / "out"), *arguments])

    assert ended.value.code == 2
    assert capsys.readouterr().err


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from trainer.commands.release import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    "more", [(), ("--dtype", "float32"), ("--gguf", "f32")], ids=["copied", "float32", "gguf"]
)
@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are Unix's")
def test_a_full_disk_leaves_nothing_behind(tiny, tmp_path, more) -> None:
    """A limit on file sizes fails a write as a full disk does: in the middle of a file."""
    asked = [tiny, "--out", tmp_path / "out", *APACHE, "--no-measure", *more]
    weights = (tiny / "model.safetensors").stat().st_size
    limit = weights + 1_000 if "--gguf" in more else weights // 2
    ended = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(limit), *map(str, asked)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert "could not be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert left_in(tmp_path) == ["tiny", "tiny-tokenizer"]


def test_too_little_room_is_noticed_before_writing(tiny, tmp_path, monkeypatch, capsys) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    said = refused(capsys, tiny, "--out", tmp_path / "out", *APACHE, "--no-measure")
    assert "the release needs about" in said
    assert left_in(tmp_path) == ["tiny", "tiny-tokenizer"]


def test_an_interrupt_leaves_nothing_behind(tiny, tmp_path, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.release.folder.write_sums", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main([str(tiny), "--out", str(tmp_path / "out"), *APACHE, "--no-measure"])
    assert left_in(tmp_path) == ["tiny", "tiny-tokenizer"]


@pytest.mark.parametrize("key", ["training", "corpus", "weights"])
def test_a_record_that_is_none_is_damage(tiny, tmp_path, capsys, key) -> None:
    edit_json(tiny / "footnote.json", **{key: "nonsense"})
    said = refused(capsys, tiny, "--out", tmp_path / "out", *APACHE)

    assert f"footnote.json is damaged ({key} is no object)" in said


def test_odd_values_in_a_record_are_unknown_not_invented(tiny, tmp_path) -> None:
    odd = {"history": 7, "tokens": "many", "elapsed": None, "step": True, "notes": [{"a": 1}]}
    edit_json(tiny / "footnote.json", training=odd)
    assert main([str(tiny), "--out", str(tmp_path / "out"), *APACHE, "--no-measure"]) == 0
    card = (tmp_path / "out" / "README.md").read_text()

    assert "tokens: not recorded; steps: not recorded" in card
    assert "time of training: not recorded" in card


@pytest.mark.parametrize(("name", "file"), [("../../evil name", "evil-name"), ("/", "model")])
def test_a_name_does_not_lead_out_of_the_folder(tiny, tmp_path, name, file) -> None:
    edit_json(tiny / "footnote.json", name=name)
    out = tmp_path / "out"
    assert main([str(tiny), "--out", str(out), *APACHE, "--no-measure", "--gguf", "q8_0"]) == 0

    assert [each.name for each in out.glob("*.gguf")] == [f"{file}-Q8_0.gguf"]
