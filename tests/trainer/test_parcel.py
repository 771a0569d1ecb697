"""A run on a machine that is reached by files, in miniature: packed, carried, killed, brought home."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from random import Random

import pytest

from engine.api import CancelToken, CompletionOptions, Gap
from engine.loading import load
from indexer.shards import open_shards, read_documents, write_shards
from tests.support.documents import document
from tests.trainer.conftest import source
from trainer.commands.train import main as train
from trainer.config import load_recipe
from trainer.parcel.blocks import NoRoom, pack_corpus, unpack_corpus
from trainer.parcel.homeward import newest_checkpoint
from trainer.parcel.parts import PartsMissing, cut, find_parts, join, read_index
from trainer.runs import Clock, Run, progress_of

FEW = ["--checkpoint-every", "0.3"]


def silent(_: str) -> None:
    pass


class Elsewhere:
    """Another machine: a folder of its own, and no way to the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        # A folder of our name must not get in the way.
        (folder / "trainer").mkdir()
        (folder / "trainer" / "__init__.py").write_text("raise ImportError('not the parcel')\n")
        kept = ("PATH", "HOME", "LANG", "TMPDIR")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment["OMP_NUM_THREADS"] = "1"

    def command(self, *arguments: str, journey: str = "1") -> list[str]:
        go = self.folder / "carried" / journey / "go.py"
        return [sys.executable, str(go), *arguments, "--work", str(self.folder / "work")]

    def go(self, *arguments: str, code: int = 0, journey: str = "1") -> str:
        done = subprocess.run(
            self.command(*arguments, journey=journey),
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def parcel(corpus, tokenizer, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packed") / "parcel"
    held_out = Path(os.environ["FOOTNOTE_HOME"]) / "held-out"
    files = [document(source(n), f"other/shapes_{n}.py") for n in (91, 97)]
    write_shards(held_out, files, meta={"name": "others", "recipe_hash": "0"})
    arguments = ["pack", "--recipe", "tiny", "--corpus", str(corpus), "--out", str(folder)]
    arguments += ["--tokenizer", str(tokenizer), "--set", "data.workers=1"]
    assert train(arguments) == 0
    shutil.rmtree(held_out)
    return folder


def carried(parcel: Path, folder: Path) -> Elsewhere:
    there = Elsewhere(folder)
    shutil.copytree(parcel, folder / "carried")
    return there


@pytest.fixture(scope="module")
def home(parcel, tmp_path_factory) -> Path:
    """What came home of a run whose first sitting was killed."""
    there = carried(parcel, tmp_path_factory.mktemp("borrowed") / "machine")
    run = there.folder / "work" / "run"
    began = time.monotonic()
    first = subprocess.Popen(
        there.command("train", "--seconds", "900", "--later", "1", *FEW),
        cwd=there.folder, env=there.environment, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    with first:
        while not list(run.glob("checkpoint-*")):
            assert first.poll() is None
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
    started = time.monotonic() - began
    step = int(newest_step(run))
    assert not (run / "export").exists()

    seconds = str(2 * started + 6)
    said = there.go("train", "--seconds", seconds, "--finish", "5", *FEW)
    assert "not evaluated" in said or (there.folder / "work" / "evaluation.json").is_file()
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    rates = [json.loads(line)["rate"] for line in lines]
    assert rates[-1] < max(rates), "it ends in its decay"
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > step, "the second sitting goes on where the checkpoint was"
    there.go("out", "1", "--checkpoint", "--part", "0.05")
    return there.folder / "home"


def newest_step(run: Path) -> str:
    return max(run.glob("checkpoint-*")).name.removeprefix("checkpoint-")


@pytest.mark.slow
def test_a_killed_run_goes_on_and_what_comes_home_completes(home, tmp_path):
    record = json.loads((home / "record.json").read_text())
    assert record["code"].startswith("source-"), "the parcel's own code has run"
    assert record["training"]["ended"]

    assert train(["unpack", str(home), "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "loss.json").is_file()
    completer = load(tmp_path / "run" / "export")
    gap = Gap(prefix="import math\n\n\ndef area_3(radius, ", suffix="\n", language="python")
    filled = completer.complete(gap, CompletionOptions(max_new_tokens=8), CancelToken())
    completer.close()
    assert filled.new_tokens > 0
    state = next((tmp_path / "run").glob("checkpoint-*/state.json"))
    assert json.loads(state.read_text())["clock"]["step"] > 0


@pytest.mark.slow
def test_a_second_visit_goes_on_with_the_checkpoint_that_came_home(
    home, corpus, tokenizer, tmp_path, capsys
):
    assert train(["unpack", str(home), "--out", str(tmp_path / "run")]) == 0
    step = json.loads(next((tmp_path / "run").glob("checkpoint-*/state.json")).read_text())
    arguments = ["pack", "--recipe", "tiny", "--corpus", str(corpus), "--tokenizer", str(tokenizer)]
    arguments += ["--resume", str(tmp_path / "run"), "--out", str(tmp_path / "parcel")]
    assert train(arguments) == 0
    other = tmp_path / "other"
    write_shards(other, [document(source(1))], meta={"name": "other", "recipe_hash": "0"})
    assert train([*arguments, "--corpus", str(other)]) == 2
    assert "was trained with another corpus" in capsys.readouterr().err

    there = carried(tmp_path / "parcel", tmp_path / "machine")
    there.go("out", code=2)  # lays nothing out, so nothing was trained there yet
    from trainer.parcel.place import Place, lay_out

    listed = json.loads((there.folder / "work" / "parcel.json").read_text())
    place = Place(there.folder / "work", tmp_path / "home", listed, 0.0)
    lay_out(place)

    assert int(newest_step(place.run)) == step["clock"]["step"]
    assert open_shards(there.folder / "work" / "data" / "corpus").corpus_hash == (
        open_shards(corpus).corpus_hash
    ), "the whole corpus travelled, so it is the same corpus there"


def test_a_damaged_part_and_a_missing_one_are_refused_by_name(parts, tmp_path, capsys):
    second = sorted(parts.glob("*.part"))[1]
    whole = second.read_bytes()
    second.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])

    assert train(["unpack", str(parts), "--out", str(tmp_path / "run")]) == 2
    assert f"damaged (other hash than in results.json): {second.name}" in capsys.readouterr().err
    second.unlink()
    assert train(["unpack", str(parts), "--out", str(tmp_path / "run")]) == 2
    assert f"missing: {second.name}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    second.write_bytes(whole)
    assert train(["unpack", str(parts), "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "export" / "numbers.bin").stat().st_size == 70_001


@pytest.fixture
def parts(tmp_path) -> Path:
    """Parts of a file that cannot be compressed."""
    folder = tmp_path / "home"
    folder.mkdir()
    numbers = tmp_path / "numbers.bin"
    numbers.write_bytes(Random(1).randbytes(70_001))
    groups = [cut("model", {"export/numbers.bin": numbers}, folder, 20_000)]
    (folder / "results.json").write_text(json.dumps({"format": 1, "made": 1.0, "groups": groups}))
    return folder


def test_parts_of_several_loads_become_the_files_they_were(parts, tmp_path):
    other = tmp_path / "second load"
    other.mkdir()
    shutil.copyfile(parts / "results.json", other / "results.json")
    for part in sorted(parts.glob("*.part"))[1:]:
        part.rename(other / part.name)

    group = read_index([parts, other])["groups"][0]
    join(group, find_parts([group], [parts, other]), tmp_path / "run")

    assert (tmp_path / "run" / "export" / "numbers.bin").read_bytes() == (
        tmp_path / "numbers.bin"
    ).read_bytes()


@pytest.mark.parametrize("path", ["../escape", "/escape"])
def test_a_list_that_names_files_elsewhere_is_refused(parts, path):
    index = json.loads((parts / "results.json").read_text())
    index["groups"][0]["files"][0]["path"] = path
    (parts / "results.json").write_text(json.dumps(index))

    with pytest.raises(PartsMissing, match="cannot be read"):
        read_index([parts])


def test_what_was_carried_damaged_or_not_at_all_is_refused_by_name(parcel, tmp_path):
    there = carried(parcel, tmp_path / "machine")
    block = there.folder / "carried" / "1" / "corpus-00.xz"
    whole = block.read_bytes()
    block.unlink()
    assert "not here: corpus-00.xz (journey 1)" in there.go("train", code=2)
    block.write_bytes(whole[:-3] + b"odd")
    assert "corpus-00.xz is damaged" in there.go("take", code=2)
    block.write_bytes(whole)
    assert "taken in" in there.go("take")


def test_a_package_that_the_machine_lacks_is_installed_from_its_wheel(parcel, tmp_path):
    there = carried(parcel, tmp_path / "machine")
    folder = there.folder / "carried" / "1"
    listed = json.loads((folder / "parcel.json").read_text())
    listed["imports"]["borrowed-words"] = "borrowed_words"
    (folder / "parcel.json").write_text(json.dumps(listed))
    assert "this machine lacks borrowed-words: pack again" in there.go("out", code=2)

    wheel = folder / "borrowed_words-1.0-py3-none-any.whl"
    about = "borrowed_words-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("borrowed_words.py", "")
        head = "Metadata-Version: 2.1\nName: borrowed-words\nVersion: 1.0\n"
        archive.writestr(f"{about}/METADATA", head)
        tags = "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{about}/WHEEL", tags)
        archive.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    listed["files"][wheel.name] = {"bytes": wheel.stat().st_size, "sha256": digest, "journey": 1}
    (folder / "parcel.json").write_text(json.dumps(listed))
    assert "nothing was trained yet" in there.go("out", code=2)
    assert (there.folder / "work" / "site" / "borrowed_words.py").is_file()


def test_the_same_part_of_a_corpus_travels_every_time_and_names_where_it_is_from(tmp_path):
    files = [document(source(n) + "#" + "x" * (n % 7), f"pack/m_{n}.py") for n in range(300)]
    files += [
        document(f"const a{n} = {n};\n" * 9, f"pack/m_{n}.js", "javascript") for n in range(90)
    ]
    corpus = tmp_path / "corpus"
    whole = write_shards(corpus, files, meta={"name": "all", "recipe_hash": "r"})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    packed = pack_corpus(corpus, tmp_path / "one" / "corpus", 3000, silent)
    again = pack_corpus(corpus, tmp_path / "two" / "corpus", 3000, silent)

    assert [e.read_bytes() for e in packed.files] == [e.read_bytes() for e in again.files]
    assert sum(each.stat().st_size for each in packed.files) <= 3000
    unpack_corpus(packed.files, tmp_path / "there", packed.about)
    part = open_shards(tmp_path / "there", verify=True)
    assert 0 < part.documents < whole.documents
    assert part.meta["taken_from"]["corpus_hash"] == whole.corpus_hash
    kept = list(read_documents(tmp_path / "there"))
    assert kept == [each for each in read_documents(corpus) if each in kept], "in their order"
    with pytest.raises(ValueError, match="not the one that was packed"):
        unpack_corpus(packed.files[:1], tmp_path / "less", {**packed.about, "corpus_hash": "0"})
    with pytest.raises(NoRoom, match="give more --megabytes"):
        pack_corpus(corpus, tmp_path / "one" / "none", 10, silent)


def test_what_is_too_large_for_one_journey_goes_in_several(corpus, tokenizer, tmp_path):
    arguments = ["pack", "--recipe", "tiny", "--corpus", str(corpus), "--tokenizer", str(tokenizer)]
    arguments += ["--out", str(tmp_path / "parcel"), "--megabytes", "6", "--journeys", "2"]
    big = tmp_path / "model"
    big.mkdir()
    (big / "config.json").write_text("{}")
    (big / "noise.bin").write_bytes(Random(2).randbytes(7_000_000))

    assert train([*arguments, "--from", str(big)]) == 0
    listed = json.loads((tmp_path / "parcel" / "2" / "parcel.json").read_text())
    for number in ("1", "2"):
        there = {each.name for each in (tmp_path / "parcel" / number).iterdir()}
        planned = {n for n, each in listed["files"].items() if str(each["journey"]) == number}
        assert there == planned | {"go.py", "parcel.json"}
        size = sum(e.stat().st_size for e in (tmp_path / "parcel" / number).iterdir())
        assert size <= 6 * 2**20


def test_a_run_that_ends_at_a_moment_follows_the_clock(corpus, tokenizer, tmp_path):
    def progress(elapsed: float, left: float) -> float:
        ends_at = time.monotonic() + left
        run = Run(load_recipe("tiny"), corpus, tokenizer, tmp_path, 0.0, ends_at=ends_at)
        return progress_of(run, Clock(step=5, elapsed=elapsed))

    assert progress(0.0, 500.0) == 0.0
    assert progress(250.0, 250.0) == pytest.approx(0.5, abs=1e-3)
    assert progress(250.0, -1.0) == 1.0


def test_a_run_that_has_ended_goes_on_from_before_its_decay(tmp_path):
    for name, step in (("checkpoint-00000030", 30), ("stable", 14)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_text(json.dumps({"clock": {"step": step}}))
    assert list(newest_checkpoint(tmp_path)) == ["checkpoint-00000030/state.json"]

    (tmp_path / "export").mkdir()
    assert list(newest_checkpoint(tmp_path)) == ["checkpoint-00000014/state.json"]
