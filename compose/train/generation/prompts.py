"""Prompts: sequences of ids, of several lengths."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from compose.core.errors import DataError


def prompts(given: Any) -> tuple[np.ndarray, np.ndarray, bool]:
    """The ids `(batch, longest)`, filled with 0, their lengths, and whether it is a single prompt.

    Raises `DataError` for what is not one or several sequences of integers, or for an empty one.
    """
    ragged = isinstance(given, (list, tuple)) and len(given) and np.ndim(given[0]) == 1
    alone = not ragged and np.ndim(given) == 1
    rows = [np.asarray(given)] if alone else [np.asarray(row) for row in given]
    if not rows or any(row.ndim != 1 for row in rows):
        raise DataError("a prompt must be ids (time,), several (batch, time), or a list of sequences of ids")
    for i, row in enumerate(rows):
        if not len(row):
            raise DataError(f"prompt {i} is empty; begin with a token for the start of a text")
        if not np.issubdtype(row.dtype, np.integer):
            raise DataError(f"a prompt must hold integer ids; prompt {i} holds {row.dtype}")
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.zeros((len(rows), int(lengths.max())), np.int32)
    for row, values in zip(ids, rows):
        row[: len(values)] = values
    return ids, lengths, alone


def ids_spec(batch: int, time: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((batch, time), np.int32)
