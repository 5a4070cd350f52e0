"""What processes tell each other between their steps. All of them must call these in the same order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


def gathered(numbers: Sequence[int]) -> np.ndarray:
    """The numbers of each process, which fit in 32 bits, one row a process."""
    row = np.asarray(numbers, np.int32)
    return np.asarray(multihost_utils.process_allgather(row)).reshape(jax.process_count(), len(row))


def most(value: int) -> int:
    """The largest of the processes' numbers."""
    return int(gathered([value]).max())


def of_first(value: float) -> float:
    """The number of process 0, in every process, bit for bit."""
    words = np.frombuffer(np.float64(value).tobytes(), np.int32)
    return float(np.frombuffer(gathered(words.tolist())[0].tobytes(), np.float64)[0])


def said(value: Any) -> list[Any]:
    """What each process says: a value of JSON."""
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    lengths = gathered([len(text)])[:, 0]
    padded = np.zeros(-(-int(lengths.max()) // 4) * 4, np.uint8)
    padded[: len(text)] = text
    rows = gathered(padded.view(np.int32).tolist())
    return [json.loads(row.tobytes()[:n].decode()) for row, n in zip(rows, lengths)]


def on_host(array: Any) -> np.ndarray:
    """A copy of an array on the host, put together from the parts of all processes if it is split over them."""
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))
    return np.array(array)


def local(tree: Any) -> Any:
    """Arrays that this process can compute with alone: those that are split over processes, whole on the host."""
    split = lambda a: isinstance(a, jax.Array) and not a.is_fully_addressable
    if not any(map(split, jax.tree.leaves(tree))):
        return tree
    return jax.tree.map(lambda a: on_host(a) if split(a) else a, tree)


def split_or_host(array: Any) -> Any:
    """A copy on the host of an array that this process has whole; one that is split over processes as it is."""
    return array if isinstance(array, jax.Array) and not array.is_fully_replicated else np.array(array)
