"""What goes home from a borrowed machine: the record first, then the model, in loads that fit."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from trainer.checkpoints import STABLE
from trainer.parcel.parts import FORMAT, INDEX, cut
from trainer.parcel.place import Place

RECORD = "record.json"
_LOGS = ("log.jsonl", "loss.json", "loss.png")
_RESULTS = ("probe.json", "bench.json", "evaluation.json")
_LOAD = 60 << 20  # bytes
_PART = int(14.8 * 2**20)  # four, the list and the record are one load


class Homeward:
    """Writes into the folder that is carried home; each file whole or not at all."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._parts = place.work / "parts"

    def write_record(self) -> None:
        """`record.json`: device, speed, losses and measurements so far, to be read as it is."""
        found: dict[str, Any] = {"made": time.time(), "parcel": _about(self._place.listed)}
        found["code"] = Path(__file__).resolve().parents[2].name  # source-, and the hash of it
        found["training"] = _training(self._place.run)
        for name in _RESULTS:
            if (path := self._place.work / name).is_file():
                found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        self._place.home.mkdir(parents=True, exist_ok=True)
        _write(self._place.home / RECORD, json.dumps(found) + "\n")

    def put(
        self,
        load: int,
        *,
        load_bytes: int = _LOAD,
        part_bytes: int = _PART,
        with_checkpoint: bool = False,
    ) -> None:
        """Put the load of that number into the home folder, in place of another one.

        ValueError when there is nothing, or no such load.
        """
        index = self._index(part_bytes, with_checkpoint=with_checkpoint)
        parts = [each for group in index["groups"] for each in group["parts"]]
        loads = _loads(parts, load_bytes - (1 << 19))  # the list and the record go along
        if not 1 <= load <= len(loads):
            raise ValueError(f"there are {len(loads)} loads: say out 1 to {len(loads)}")
        home = self._place.home
        for old in home.glob("*-[0-9][0-9][0-9].part"):
            old.unlink()
        for part in loads[load - 1]:
            shutil.copyfile(self._parts / part["name"], home / part["name"])
        _write(home / INDEX, json.dumps(index) + "\n")
        size = sum(each["bytes"] for each in loads[load - 1])
        print(f"load {load} of {len(loads)}: {len(loads[load - 1])} parts, {size / 1e6:.1f} MB")
        if load < len(loads):
            print(f"carry {home} home, then: go.py out {load + 1}")

    def _index(self, part_bytes: int, *, with_checkpoint: bool) -> dict[str, Any]:
        """The parts that were cut before, or new ones when anything has changed since."""
        groups = self._groups(with_checkpoint=with_checkpoint)
        if not groups:
            raise ValueError("nothing was trained yet: go.py train")
        stamp = json.dumps([part_bytes, {name: _stamp(files) for name, files in groups.items()}])
        path = self._parts / INDEX
        if path.is_file():
            index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if index["stamp"] == stamp:
                return index
        staging = self._parts.with_name("parts.new")
        for old in (staging, self._parts):
            shutil.rmtree(old, ignore_errors=True)
        staging.mkdir(parents=True)
        made = [cut(name, files, staging, part_bytes) for name, files in groups.items()]
        index = {"format": FORMAT, "made": time.time(), "stamp": stamp, "groups": made}
        _write(staging / INDEX, json.dumps(index) + "\n")
        staging.replace(self._parts)
        return index

    def _groups(self, *, with_checkpoint: bool) -> dict[str, dict[str, Path]]:
        """What there is, by where it belongs in a run folder; the smallest first."""
        run, work = self._place.run, self._place.work
        record = {name: run / name for name in _LOGS} | {name: work / name for name in _RESULTS}
        groups = {"record": {name: path for name, path in record.items() if path.is_file()}}
        export = run / "export"
        groups["model"] = {f"export/{each.name}": each for each in _files(export)}
        if with_checkpoint:
            found = newest_checkpoint(run)
            groups["checkpoint"] = {name: path for name, path in found.items() if name != _LOGS[0]}
        return {name: files for name, files in groups.items() if files}


def newest_checkpoint(run: Path) -> dict[str, Path]:
    """The files to go on from, by where they belong: of a run that has ended, from before its decay."""
    stable, ended = run / STABLE, (run / "export").is_dir()
    if ended and stable.is_dir():
        step = json.loads((stable / "state.json").read_text(encoding="utf-8"))["clock"]["step"]
        chosen, name = stable, f"checkpoint-{step:08}"
    else:
        found = sorted(run.glob("checkpoint-" + "[0-9]" * 8))
        if not found:
            return {}
        chosen, name = found[-1], found[-1].name
    files = {f"{name}/{each.name}": each for each in _files(chosen)}
    log = run / _LOGS[0]
    return {**files, log.name: log} if log.is_file() else files


def _files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else []


def _stamp(files: Mapping[str, Path]) -> list[list[Any]]:
    return [[name, path.stat().st_size, path.stat().st_mtime_ns] for name, path in files.items()]


def _loads(parts: list[dict[str, Any]], most: int) -> list[list[dict[str, Any]]]:
    """The parts in their order, as many as fit together; one that is too large goes alone."""
    loads: list[list[dict[str, Any]]] = []
    room = 0
    for part in parts:
        if part["bytes"] > room:
            loads.append([])
            room = most
        loads[-1].append(part)
        room -= part["bytes"]
    return loads


def _about(listed: Mapping[str, Any]) -> dict[str, Any]:
    corpus = {key: value for key, value in listed["corpus"].items() if key != "files"}
    return {"recipe": listed["recipe"], "changes": listed["changes"], "corpus": corpus}


def _training(run: Path) -> dict[str, Any]:
    """Speed as medians of the steps so far, without the first ten, which compile and warm up."""
    log = run / _LOGS[0]
    written = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    lines = [json.loads(line) for line in written if line.endswith("}")]  # a kill cuts the last one
    if not lines:
        return {}
    import torch

    from trainer.hardware import device_name

    steady = lines[10:] or lines
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "device": device_name(device),
        "torch": torch.__version__,
        "step": int(lines[-1]["step"]),
        "tokens": int(lines[-1]["tokens"]),
        "elapsed_s": lines[-1]["elapsed"],
        "progress": lines[-1]["progress"],
        "ended": (run / "export").is_dir(),
        **{
            name: median(each[name] for each in steady)
            for name in ("tokens_per_s", "mfu", "waiting")
        },
        "loss": [[int(each["step"]), each["loss"]] for each in lines[:: max(1, len(lines) // 400)]],
    }


def _write(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.new")
    staging.write_text(text, encoding="utf-8")
    staging.replace(path)
