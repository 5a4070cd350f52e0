"""The values of options: hashable, and with a text that reads back."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core import constants
from compose.core.errors import ConfigError

_DTYPES = {np.dtype(getattr(constants, name)): getattr(constants, name) for name in constants.DTYPES}
_PLAIN = (str, bool, int, type(None))


def option_value(label: str, name: str, value: Any) -> Any:
    """`value` as an option holds it: lists become tuples, NumPy's scalars Python's, dtypes their words or names.

    Raises `ConfigError` for arrays and other values that have no text.
    """
    if isinstance(value, (list, tuple)):
        return tuple(option_value(label, name, part) for part in value)
    if isinstance(value, np.generic):
        value = value.item()
    if name == "dtype" and isinstance(value, str) and value in constants.DTYPES:
        return getattr(constants, value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return math.nan if value != value else float(value)
    dtype = _as_dtype(value)
    if dtype is not None:
        return _DTYPES.get(dtype, dtype.name)
    raise ConfigError(
        f"{name}= to be a number, a string, a dtype, None or a tuple of these",
        f"{label}({name}={type(value).__name__})",
        "arrays are inputs: call it on them inside graph",
    )


def _as_dtype(value: Any) -> np.dtype | None:
    """The dtype that a value names, None for any other value. Python's `int` and `float` name no width."""
    if isinstance(value, np.dtype):
        return value
    if value is bool or (isinstance(value, type) and issubclass(value, np.generic)):
        return np.dtype(value)
    return value.dtype if type(value) is type(jnp.float32) else None
