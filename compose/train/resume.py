"""The whole of a running training as a checkpoint, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from compose.core.errors import ConfigError, FileError
from compose.distributed.exchange import on_host, split_or_host
from compose.train.agreement import all_places
from compose.train.file import expression_of, history_of, model_parts, weights
from compose.train.kept import session_values, training_values
from compose.train.load import session_of
from compose.train.task import Task
from compose.train.trained import Trained

if TYPE_CHECKING:
    from compose.train.loop import Training


def snapshot(training: Training) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a checkpoint, copied, so that the training can go on."""
    trained, over = training.trained(), training.over
    running = None if over is None else {
        "steps": over.steps, "examples": over.examples, "sums": jax.tree.leaves(over.sums),
        "seconds": training.seconds(),
    }  # fmt: skip
    kept = {
        **session_values(trained.session),
        "run": training.about,
        "epoch": training.epoch,
        "base": training.base,
        "stopped": training.stopped,
        "over": running,
        "place": all_places(training.where, training.place),
        "callbacks": training.running.memory,
    }
    try:
        text = expression_of(training.task.net)
    except FileError:  # the checkpoint serves to go on, where the network is given, but not to load it
        text = ""
    return model_parts(trained, text, kept, split_or_host if training.where.spread else on_host)


def restored(
    task: Task, about: dict[str, Any], inputs: Any, path: Any, metadata: dict[str, str], tensors: dict[str, Any]
) -> tuple[Trained, Any]:
    """What training starts from, and the values of a checkpoint; `about` is what the training is known by.

    Raises `ConfigError` if the checkpoint is of another training, `FileError` if it is not one.
    """
    kept = training_values(path, metadata, tensors)
    if kept is None or "run" not in kept:
        raise FileError(f"{path}: a model file, not a checkpoint of a training")
    for name, before in kept["run"].items():
        if about.get(name) != before:
            raise ConfigError(
                f"the training whose checkpoints are in the folder, with {name} {_brief(before)}",
                _brief(about.get(name)),
                f"use another folder; or go on from its parameters with start=compose.load({str(path)!r})",
            )  # fmt: skip
    params, state = weights(path, task.net, inputs, tensors)
    session = session_of(kept, task.options)
    return Trained(task.net, params, state, history_of(metadata), inputs, session), kept


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
