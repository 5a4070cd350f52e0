"""`compose plot FILE` and `compose report FILE`: a training and its results to look at."""

from __future__ import annotations

from pathlib import Path

from compose.cli.examples import read
from compose.train import load


def plot(file: Path, out: Path) -> None:
    """Draw the history of the training in a model file."""
    load(file).plot(out)
    print(f"wrote {out}")


def report(file: Path, source: str, target: str | None, loss: str | None, metrics: list[str], out: Path) -> None:
    """Write a page about a model file and what it does on the examples; on the test examples if there are such."""
    trained = load(file)
    task = read(source, target, trained.net, trained.inputs, loss, metrics)
    x, y = task.test or (task.x, task.y)
    names = task.names if task.loss == "cross_entropy" and len(task.names) == trained.net.out(x.shape[1:])[-1] else ()
    trained.report(out, x, y, names=names, title=file.name, loss=task.loss, metrics=task.metrics)
    print(f"wrote {out}")
