"""Sequences of several lengths as one array."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from compose.core.errors import DataError


def pad_sequences(rows: Iterable[Any], length: int | None = None, value: float = 0) -> np.ndarray:
    """Sequences of several lengths as one array, with `value` after the end of each; `masked` leaves it out.

    Args:
        rows: lists of numbers, or arrays whose first axis is the steps and whose others are equal.
        length: the steps of the array; longer sequences lose their end. None is the longest.
        value: what stands after the end.

    Elsewhere: torch `pad_sequence(batch_first=True)`; Keras `pad_sequences(padding="post", truncating="post")`.

    >>> pad_sequences([[3, 1, 4], [5]])
    array([[3, 1, 4],
           [5, 0, 0]])
    """
    rows = list(rows)
    parts = [np.asarray(row) for row in rows]
    if not parts:
        raise DataError("there are no sequences to pad")
    if any(part.ndim == 0 for part in parts):
        raise DataError("expected sequences, each a list or an array of steps; got a number")
    kinds = {part.shape[1:] for part in parts if part.size}
    if len(kinds) > 1:
        raise DataError(f"the steps of all sequences must have one shape; got {', '.join(map(str, sorted(kinds)))}")
    if any(part.dtype.kind not in "biufc" for part in parts):
        raise DataError("sequences must hold numbers; names, ids = np.unique(words, return_inverse=True) numbers words")
    if length is not None and length < 1:
        raise DataError(f"length must be a number of steps of at least 1; got {length}")
    steps = max(map(len, parts)) if length is None else length
    dtype = np.result_type(value, *(part.dtype for part in parts if part.size)) if kinds else np.dtype(int)
    if dtype == np.float64 and any(isinstance(row, (list, tuple)) for row in rows):  # it was not asked for
        dtype = jax.dtypes.canonicalize_dtype(dtype)
    padded = np.full((len(parts), steps, *next(iter(kinds), ())), value, dtype)
    for row, part in zip(padded, parts):
        row[: len(part)] = part[:steps]
    return padded
