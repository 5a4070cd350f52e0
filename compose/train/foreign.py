"""Arrays of other libraries: tables of pandas and polars, tensors of torch and TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from compose.core.errors import DataError


def is_array(value: Any) -> bool:
    """Whether a value is an array or can become one at once."""
    return any(hasattr(value, name) for name in ("__array__", "__array_interface__", "__dlpack__", "shape"))


def is_rows(value: Any) -> bool:
    """Whether a value is a data set of single examples by index, neither an array nor a sequence of Python's."""
    return (
        hasattr(value, "__getitem__")
        and not hasattr(value, "collect")
        and not (
            is_array(value)
            or isinstance(value, (Sequence, dict))
            or hasattr(value, "__iter__")
            or isinstance(value, type)
        )
    )


def as_array(value: Any, what: str) -> Any:
    """The value as an array, without a copy where that can be. Raises `DataError`."""
    if is_rows(value):  # NumPy would ask for one item after another, for ever if there is always one
        raise DataError(
            f"{what} gives examples by index, as a {type(value).__name__}; a data set of pairs is fit(data)"
        )
    if hasattr(value, "detach"):  # torch: NumPy takes no tensor that wants gradients
        value = value.detach()
    if hasattr(value, "collect") and hasattr(value, "lazy"):
        raise DataError(f"{what} is a {type(value).__name__}; {what}.collect() makes a data frame of it")
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        return _frame(value, what)
    if _are_pairs(value, tuple):  # of equal shapes, NumPy would stack x and y
        raise DataError(_PAIRS.format(what=what, n=len(value)))
    try:
        return np.asarray(value)
    except ValueError as e:
        if _are_pairs(value, (tuple, list)):
            raise DataError(_PAIRS.format(what=what, n=len(value))) from None
        raise DataError(
            _ragged(value, what) or _several(value, what) or f"{what} must be an array, or a tuple of arrays: {e}"
        ) from None
    except (TypeError, RuntimeError) as e:  # on a GPU, or of a dtype that NumPy does not know
        try:
            return jax.dlpack.from_dlpack(value)
        except Exception:  # whatever the other library raises
            raise DataError(f"{what} cannot be read as an array: {e}") from None


_PAIRS = (
    "{what} must be an array, or a tuple of arrays; got a list of {n} tuples of arrays. If they are batches, give "
    "a function that returns an iterator over them, lambda: iter(batches); if they are single examples, "
    "x, y = map(np.stack, zip(*examples)) makes arrays"
)


def _are_pairs(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """Whether it is a list of tuples (x, y) or (x, y, sample_weight), each with an array first."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(part, kinds) and len(part) in (2, 3) for part in value)
        and all(is_array(part[0]) and np.ndim(part[0]) > 0 for part in value)
    )


def is_list_of_arrays(value: Any) -> bool:
    """Whether it is a list of arrays, as other libraries take several inputs or targets."""
    return isinstance(value, list) and len(value) > 0 and all(is_array(part) and np.ndim(part) > 0 for part in value)


def _several(value: Any, what: str) -> str:
    """What to say of a list of arrays that are not rows of one; nothing for another value."""
    return f"{what} is a list of {len(value)} arrays; give several as a tuple" if is_list_of_arrays(value) else ""


def _ragged(value: Any, what: str) -> str:
    """What to say of a list whose rows have several lengths; nothing for another value."""
    if not isinstance(value, list) or not all(hasattr(row, "__len__") for row in value):
        return ""
    shortest, longest = min(map(len, value)), max(map(len, value))
    if shortest == longest:
        return ""
    return (
        f"{what} must be an array, but its rows have {shortest} to {longest} values; data.pad_sequences(...) pads them "
        "to one length, and masked(...) leaves the padding out"
    )


def _frame(frame: Any, what: str) -> np.ndarray:
    """A data frame of pandas or polars whose columns are all numbers, as one array. Raises `DataError`."""
    names = list(frame.columns)
    columns = [np.asarray(frame[name]) for name in names]
    for name, column in zip(names, columns):
        if column.dtype.kind not in "fiub" or column.ndim != 1:
            kind = f"{column.ndim} columns of that name" if column.ndim > 1 else frame[name].dtype
            hint = "data.table(frame, target=...) reads columns of words"
            raise DataError(f"{what} must hold numbers; the column {name!r} holds {kind}. {hint}")
    return np.stack(columns, 1) if columns else np.zeros((len(frame), 0), np.float32)
