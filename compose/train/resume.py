"""The whole of a running training as a checkpoint, and back."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from compose.core.errors import ConfigError, FileError
from compose.train.file import expression_of, history_of, model_parts, weights
from compose.train.kept import session_values, training_values
from compose.train.load import session_of
from compose.train.task import Task
from compose.train.trained import Trained

if TYPE_CHECKING:
    from compose.train.loop import Training

_OPTIONS = (
    "loss", "optimizer", "learning_rate", "batch_size", "metrics", "l1", "l2", "clip", "accumulate", "ema", "freeze",
    "seed", "precision", "class_weight", "loss_weights", "ignore_label", "logits", "steps_per_epoch",
)  # fmt: skip
_ROWS = 64  # of each array, at its beginning and its end, by which data is known again


def snapshot(training: Training) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a checkpoint, copied, so that the training can go on."""
    trained, over = training.trained(), training.over
    running = None if over is None else {
        "steps": over.steps, "examples": over.examples, "sums": jax.tree.leaves(over.sums),
        "seconds": training.seconds(),
    }  # fmt: skip
    kept = {
        **session_values(trained.session),
        "run": _run(training.task),
        "epoch": training.epoch,
        "base": training.base,
        "stopped": training.stopped,
        "over": running,
        "place": training.place,
        "callbacks": training.running.memory,
    }
    try:
        text = expression_of(training.task.net)
    except FileError:  # the checkpoint serves to go on, where the network is given, but not to load it
        text = ""
    return model_parts(trained, text, kept)


def restored(
    task: Task, inputs: Any, path: Any, metadata: dict[str, str], tensors: dict[str, Any]
) -> tuple[Trained, Any]:
    """What training starts from, and the values of a checkpoint.

    Raises `ConfigError` if the checkpoint is of another training, `FileError` if it is not one.
    """
    kept = training_values(path, metadata, tensors)
    if kept is None or "run" not in kept:
        raise FileError(f"{path}: a model file, not a checkpoint of a training")
    now = json.loads(json.dumps(_run(task)))
    for name, before in kept["run"].items():
        if now.get(name) != before:
            raise ConfigError(
                f"the training whose checkpoints are in the folder, with {name} {_brief(before)}",
                _brief(now.get(name)),
                f"use another folder; or go on from its parameters with start=compose.load({str(path)!r})",
            )  # fmt: skip
    params, state = weights(path, task.net, inputs, tensors)
    session = session_of(kept, task.options)
    return Trained(task.net, params, state, history_of(metadata), inputs, session), kept


def _run(task: Task) -> dict[str, Any]:
    """By what a training is known again: the options that are values, the network and the data."""
    options = {name: task.options[name] for name in _OPTIONS if _plain(task.options.get(name))}
    return {"network": str(task.net), "scores": list(task.scoring.scores.names), "data": _digest(task.data), **options}


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _digest(data: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for leaf in jax.tree.leaves((data.x, data.y)):
        digest.update(f"{leaf.dtype}{leaf.shape}".encode())
        for rows in (leaf[:_ROWS], leaf[-_ROWS:]):
            digest.update(np.ascontiguousarray(np.asarray(rows)).tobytes())
    return digest.hexdigest()


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
