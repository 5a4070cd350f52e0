"""Values as JSON beside arrays: what a file keeps of a training besides its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import FileError
from compose.distributed.exchange import on_host

_ARRAY, _KEY = "$array", "$key"


def apart(value: Any, path: str, copy: Callable[[Any], Any] = on_host) -> tuple[Any, dict[str, Any]]:
    """The value with arrays replaced by their names, which start with `path`, and the arrays, copied by `copy`.

    Raises `FileError` for what is neither JSON nor an array.
    """
    arrays: dict[str, Any] = {}

    def walk(v: Any, path: str) -> Any:
        if v is None or isinstance(v, (bool, int, float, str)):
            return v
        if isinstance(v, dict) and all(isinstance(key, str) for key in v):
            return {key: walk(item, f"{path}/{key}") for key, item in v.items()}
        if isinstance(v, (list, tuple)):
            return [walk(item, f"{path}/{i}") for i, item in enumerate(v)]
        if isinstance(v, (np.ndarray, np.generic, jax.Array)):
            if isinstance(v, jax.Array) and jnp.issubdtype(v.dtype, jax.dtypes.prng_key):
                arrays[path] = np.array(jax.random.key_data(v))
                return {_KEY: path, "of": str(jax.random.key_impl(v))}
            arrays[path] = copy(v)
            return {_ARRAY: path, "weak": bool(getattr(v, "weak_type", False))}
        raise FileError(f"{path}: a checkpoint keeps numbers, strings, lists, dicts and arrays; got {type(v).__name__}")

    return walk(value, path), arrays


def together(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Undo `apart`; tuples have become lists, and arrays are on the device."""
    if isinstance(value, list):
        return [together(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _KEY in value:
        return jax.random.wrap_key_data(jnp.asarray(arrays[value[_KEY]]), impl=value["of"])
    if _ARRAY in value:
        array = arrays[value[_ARRAY]]
        return jnp.asarray(array.item()) if value["weak"] and array.shape == () else jnp.asarray(array)
    return {key: together(item, arrays) for key, item in value.items()}
