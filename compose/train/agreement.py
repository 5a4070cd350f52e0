"""What a training is known by, and what the processes that train together must agree on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError
from compose.train.callbacks.event import Answer
from compose.train.distribution import Distribution
from compose.train.examples import Examples
from compose.train.task import Task

_OPTIONS = (
    "loss", "optimizer", "learning_rate", "batch_size", "metrics", "l1", "l2", "clip", "accumulate", "ema", "freeze",
    "seed", "precision", "class_weight", "loss_weights", "ignore_label", "logits", "steps_per_epoch",
)  # fmt: skip
_ROWS = 64  # of each array, at its beginning and its end, by which data is known again


def agreed(task: Task) -> dict[str, Any]:
    """By what the training is known again, the same in every process.

    Raises `ConfigError` if several processes were given different trainings, or the same batches of a stream.
    """
    about, where = json.loads(json.dumps(_about(task))), task.scoring.distribution
    if not where.spread:
        return about
    given = {
        "epochs": task.epochs,
        "validation": _digest(task.held_out) if isinstance(task.held_out, Examples) else None,
        "callbacks": [getattr(c, "__name__", type(c).__name__) for c in task.callbacks],
        "checkpoint": repr(task.checkpoint),
    }
    everyone = where.said({**about, **given})
    about["data"] = everyone[0]["data"]
    if not isinstance(task.data, Examples):
        digests = {one.pop("data") for one in everyone}
        if len(digests) == 1 < len(everyone) and not task.data.divided:
            raise ConfigError(
                "a stream that gives each process batches of its own", "the same first batch in every process",
                "a batch is put together from those of all processes: let each read its part of the data, as in "
                "data[jax.process_index()::jax.process_count()]",
            )  # fmt: skip
    first = everyone[0]
    for process, one in enumerate(everyone):
        for name in first.keys() | one.keys():
            if one.get(name) != first.get(name):
                raise ConfigError(
                    f"the same {name} in every process: {_brief(first.get(name))} in process 0",
                    f"{_brief(one.get(name))} in process {process}", _HINTS.get(name, ""),
                )  # fmt: skip
    return about


_HINTS = {
    "data": "give all the examples to every process, such as a file mapped into memory: each reads its own rows; data "
    "that are in parts already go in as streams of batches",
    "callbacks": "they run in every process; event.first is True in the one that prints and writes files",
}


def same_answer(where: Distribution, answer: Answer) -> Answer:
    """The answer of the callbacks in all processes: to stop if one of them says so.

    Raises `ConfigError` if they answer differently else.
    """
    if not where.spread:
        return answer
    told = where.said([answer.stop, answer.rate, answer.params is not None, answer.state is not None])
    if any(one[1:] != told[0][1:] for one in told):
        raise ConfigError("callbacks that answer the same in every process", ", ".join(map(str, told)))
    return Answer(answer.params, answer.state, answer.rate, any(one[0] for one in told))


def all_places(where: Distribution, place: Any) -> Any:
    """The place in the data, of all processes if they read parts of their own."""
    return {"of": where.said(place)} if where.spread and place is not None else place


def own_place(kept: Any) -> Any:
    """The place of this process in the data, from a checkpoint. Raises `ConfigError` for one of other processes."""
    if not isinstance(kept, dict) or "of" not in kept:
        return kept
    places = kept["of"]
    if len(places) == jax.process_count():
        return places[jax.process_index()]
    if all(place == places[0] for place in places):
        return places[0]
    raise ConfigError(
        f"{len(places)} processes, which read the stream until the checkpoint", f"{jax.process_count()}",
        "their places in the data are not those of other parts of it",
    )  # fmt: skip


def _about(task: Task) -> dict[str, Any]:
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
