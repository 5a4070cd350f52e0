"""`compose train`, `compose evaluate` and `compose lr-find`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import typer

from compose import data
from compose.cli.examples import Task, network, read
from compose.core.errors import ConfigError, DataError
from compose.train import fit, load, lr_find


def train(
    what: str, source: str, target: str | None, epochs: int, options: dict[str, Any], validation: float, out: Path
) -> None:
    """Train a new network, or go on with a model file, and write the result to `out`."""
    if out.suffix != ".safetensors":
        raise ConfigError("a model file that ends in .safetensors", str(out))
    if not out.parent.is_dir():
        raise DataError(f"{out}: the folder {out.parent} does not exist")
    net, start = _begin(what)
    options = dict(options)
    task = read(source, target, net, start, options.pop("loss"), options.pop("metrics"))
    part, held_out = _held_out(task, validation, options["seed"])
    if first := jax.process_index() == 0:
        print(f"{source}: {len(part)} examples, {len(held_out) if held_out else 0} for validation; loss {task.loss}")
    net = net if start else task.around(net, part)
    trained = fit(
        net, part, start=start, loss=task.loss, metrics=task.metrics, epochs=epochs, validation=held_out, **options
    )
    trained.save(out, optimizer=True)
    if first:
        print(f"wrote {out}")
    if trained.interrupted:
        raise typer.Exit(130)


def evaluate(file: Path, source: str, target: str | None, loss: str | None, metrics: list[str]) -> None:
    """Print the loss and the metrics of a model file on all the examples; on the test examples if there are such."""
    trained = load(file)
    task = read(source, target, trained.net, trained, loss, metrics)
    scores = trained.evaluate(task.measured, loss=task.loss, metrics=task.metrics)
    print(f"{len(task.measured)} examples")
    for name, value in scores.items():
        print(f"{name:<10} {value:.6g}" if np.ndim(value) == 0 else f"{name}\n{value}")


def find_rate(what: str, source: str, target: str | None, options: dict[str, Any], out: Path | None) -> None:
    """Print a learning rate for a network, and plot how it was found."""
    net, start = _begin(what)
    options = dict(options)
    task = read(source, target, net, start, options.pop("loss"), options.pop("metrics"))
    net = net if start else task.around(net, task.data)
    found = lr_find(net, task.data.x, task.data.y, loss=task.loss, start=start, **options)
    print(f"learning rate {found.suggestion:.2g}")
    if out is not None:
        found.plot(out)
        print(f"wrote {out}")


def _begin(what: str) -> tuple[Any, Any]:
    """The network, and the model file to go on from or None."""
    net = network(what)
    if net is not None:
        return net, None
    start = load(what)
    return start.net, start


def _held_out(task: Task, fraction: float, seed: int) -> tuple[data.Dataset, data.Dataset | None]:
    """The examples to train on, and those to validate with: the test examples, a random part of all, or none."""
    if task.test is not None or fraction == 0:
        return task.data, task.test
    y = task.data.y
    labels = y.ndim == 1 and np.bincount(y).min(initial=9, where=np.bincount(y) > 0) >= 2
    parts = data.split(np.arange(len(y)), y, fraction, seed, stratify=bool(labels))
    train, test = (task.data.rows(part.x) for part in parts)
    return train, test
