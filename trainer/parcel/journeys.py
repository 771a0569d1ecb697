"""Divides the files of a parcel into journeys: folders that each fit through the door."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.checkpoint import sha256_of

LIST = "parcel.json"


def distribute(files: Path, staging: Path, listed: dict[str, Any], journey_bytes: int) -> None:
    """Move the files into numbered journeys, each into the first that has room for it."""
    sizes = {each: each.stat().st_size for each in files.iterdir()}
    order = sorted(sizes, key=lambda each: (each.name.startswith("corpus-"), each.name))
    own = (1 << 17) + 200 * len(order)  # go.py and the list
    room: list[int] = []
    places: dict[Path, int] = {}
    for file in order:
        fitting = [number for number, free in enumerate(room) if free >= sizes[file]]
        if not fitting:
            room.append(journey_bytes - own)
            fitting = [len(room) - 1]
        if room[fitting[0]] < sizes[file]:
            raise ValueError(
                f"{file.name} has {sizes[file] / 1e6:.1f} MB and a journey carries "
                f"{journey_bytes / 1e6:.1f} MB: give more --megabytes"
            )
        room[fitting[0]] -= sizes[file]
        places[file] = fitting[0] + 1
    listed["files"] = {
        file.name: {"bytes": sizes[file], "sha256": sha256_of(file), "journey": places[file]}
        for file in order
    }
    text = json.dumps(listed, indent=1) + "\n"
    for number in range(1, len(room) + 1):
        folder = staging / str(number)
        folder.mkdir()
        (folder / LIST).write_text(text, encoding="utf-8")
        shutil.copyfile(Path(__file__).with_name("go.py"), folder / "go.py")
    for file, number in places.items():
        file.replace(staging / str(number) / file.name)


def summary(listed: Mapping[str, Any], out: Path, journey_bytes: int) -> str:
    """What was packed, for whoever carries it."""
    corpus = listed["corpus"]
    journeys = _sizes(listed)
    lines = [
        f"{corpus['documents']:,} documents of {corpus['taken_from']['name']} ({corpus['share']:.1%}), "
        f"recipe {listed['recipe']}",
        *(
            f"{out / str(number)}: {size / 1e6:.1f} of {journey_bytes / 1e6:.1f} MB"
            for number, size in enumerate(journeys, 1)
        ),
        f"carry {out / '1'} there, and in that folder: python3 go.py --help",
    ]
    return "\n".join(lines)


def _sizes(listed: Mapping[str, Any]) -> Sequence[int]:
    files = listed["files"].values()
    count = max(each["journey"] for each in files)
    return [sum(e["bytes"] for e in files if e["journey"] == n) for n in range(1, count + 1)]
