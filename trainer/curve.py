"""The loss curves of runs, as numbers and as pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SMOOTH = 0.2  # share of a new step in the line that is drawn over the steps


def write_curve(folder: Path) -> float:
    """Write loss.json and loss.png from log.jsonl; returns the mean loss of the last 5% of steps."""
    records = read_log(folder)
    if not records:
        return float("nan")
    stride = max(1, len(records) // 500)
    points = [
        {
            "step": group[-1]["step"],
            "tokens": group[-1]["tokens"],
            "elapsed_s": group[-1]["elapsed"],
            "loss": round(sum(each["loss"] for each in group) / len(group), 4),
            "rate": group[-1]["rate"],
        }
        for group in (records[i : i + stride] for i in range(0, len(records), stride))
    ]
    (folder / "loss.json").write_text(json.dumps(points) + "\n", encoding="utf-8")
    _draw({"": points}, folder / "loss.png")
    return last_loss(records)


def read_log(folder: Path) -> list[dict[str, float]]:
    """The steps of a run. ValueError when there are none."""
    try:
        text = (folder / "log.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{folder} is no run: it has no log.jsonl") from None
    return [json.loads(line) for line in text.splitlines()]


def last_loss(records: Sequence[Mapping[str, float]]) -> float:
    """The mean loss of the last 5% of steps, in nats per token."""
    tail = records[-max(1, len(records) // 20) :]
    return float(round(sum(each["loss"] for each in tail) / len(tail), 4))


def compare(runs: Mapping[str, Path], picture: Path) -> list[dict[str, Any]]:
    """Draw the runs' losses over the same tokens into one picture; a row of numbers for each."""
    logs = {name: read_log(folder) for name, folder in runs.items()}
    empty = [name for name, records in logs.items() if not records]
    if empty:
        raise ValueError(f"the run {empty[0]} has no step yet")
    _draw(logs, picture)
    return [
        {
            "run": name,
            "steps": int(records[-1]["step"]),
            "tokens": int(records[-1]["tokens"]),
            "half_way": last_loss(records[: max(1, len(records) // 2)]),
            "loss": last_loss(records),
            "seconds": round(records[-1]["elapsed"]),
        }
        for name, records in logs.items()
    ]


def _draw(curves: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, points in curves.items():
        tokens = [each["tokens"] / 1e6 for each in points]
        losses = [each["loss"] for each in points]
        (line,) = axes.plot(tokens, losses, alpha=0.25 if name else 1.0, linewidth=1)
        if name:
            smooth = [losses[0]]
            for loss in losses[1:]:
                smooth.append((1 - _SMOOTH) * smooth[-1] + _SMOOTH * loss)
            axes.plot(
                tokens, smooth, color=line.get_color(), label=f"{name}: {last_loss(points):.3f}"
            )
    axes.set_xlabel("million tokens")
    axes.set_ylabel("training loss, nats per token")
    axes.grid(visible=True, alpha=0.3)
    if len(curves) > 1:
        axes.legend(title="mean of the last 5%")
    staging = path.with_name(f".{path.name}.tmp")
    figure.savefig(staging, dpi=120, format="png")
    staging.replace(path)
    plt.close(figure)
