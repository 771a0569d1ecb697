"""The loss curve of a run, as numbers and as a picture."""

import json
from pathlib import Path


def write_curve(folder: Path) -> float:
    """Write loss.json and loss.png from log.jsonl; returns the mean loss of the last 5% of steps."""
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
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
    _draw(points, folder / "loss.png")
    tail = records[-max(1, len(records) // 20) :]
    return float(round(sum(each["loss"] for each in tail) / len(tail), 4))


def _draw(points: list[dict[str, float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot([each["tokens"] / 1e6 for each in points], [each["loss"] for each in points])
    axes.set_xlabel("million tokens")
    axes.set_ylabel("training loss, nats per token")
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)
