"""`compose plot FILE` and `compose report FILE`: a training and its results to look at."""

from __future__ import annotations

from pathlib import Path

import jax

from compose.cli.examples import read
from compose.train import load


def plot(file: Path, out: Path) -> None:
    """Draw the history of the training in a model file."""
    load(file).plot(out)
    print(f"wrote {out}")


def report(file: Path, source: str, target: str | None, loss: str | None, metrics: list[str], out: Path) -> None:
    """Write a page about a model file and what it does on the examples; on the test examples if there are such."""
    trained = load(file)
    task = read(source, target, trained.net, trained, loss, metrics)
    examples = task.measured
    fits = not trained.names.classes and len(examples.names) == trained.net.out(*jax.tree.leaves(trained.inputs))[-1]
    names = examples.names if fits else ()
    trained.report(out, examples, names=names, title=file.name, loss=task.loss, metrics=task.metrics)
    print(f"wrote {out}")
