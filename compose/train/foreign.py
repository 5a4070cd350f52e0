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
    return hasattr(value, "__getitem__") and not (
        is_array(value) or isinstance(value, (Sequence, dict)) or hasattr(value, "__iter__") or isinstance(value, type)
    )


def as_array(value: Any, what: str) -> Any:
    """The value as an array, without a copy where that can be. Raises `DataError`."""
    if is_rows(value):  # NumPy would ask for one item after another, for ever if there is always one
        raise DataError(
            f"{what} gives examples by index, as a {type(value).__name__}; a data set of pairs is fit(data)"
        )
    if hasattr(value, "detach"):  # torch: NumPy takes no tensor that wants gradients
        value = value.detach()
    try:
        return np.asarray(value)
    except ValueError as e:
        raise DataError(f"{what} must be an array, or a tuple of arrays: {e}") from None
    except (TypeError, RuntimeError) as e:  # on a GPU, or of a dtype that NumPy does not know
        try:
            return jax.dlpack.from_dlpack(value)
        except Exception:  # whatever the other library raises
            raise DataError(f"{what} cannot be read as an array: {e}") from None
