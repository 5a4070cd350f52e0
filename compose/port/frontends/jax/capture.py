"""A pure function of a tree of parameters as a function of named arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import PortError

Arrays = dict[str, Any]


class JaxFunction:
    """The arrays of the parameters by their places in the tree, `layers/0/weight`, and the function of such arrays.

    Attributes:
        tree: the structure of the parameters.
        form: that of the inputs.
    """

    def __init__(self, fn: Callable, params: Any, inputs: tuple):
        self.fn, self.form = fn, jax.tree.structure(inputs)
        self.name = _name(fn)
        leaves, self.tree = jax.tree_util.tree_flatten_with_path(params)
        self.arrays: Arrays = {}
        self.dtypes = []
        for path, leaf in leaves:
            name = "/".join(_key(part) for part in path) or "params"
            if not isinstance(leaf, (jax.Array, np.ndarray, np.generic, float)) or name in self.arrays:
                raise PortError(
                    f"parameters that are arrays, got {type(leaf).__name__} at {name}; keep what is none in the "
                    "function: equinox.partition(model, equinox.is_array) and nnx.split part them"
                )
            self.arrays[name] = np.asarray(leaf)
        self.trained = [n for n, a in self.arrays.items() if jnp.issubdtype(a.dtype, jnp.floating)]

    def run(self, arrays: Arrays, inputs: list, train: bool = False) -> tuple[Any, Arrays]:
        """The outputs, and the arrays, which the function leaves as they are."""
        params = jax.tree.unflatten(self.tree, [arrays[name] for name in self.arrays])
        return self.fn(params, *jax.tree.unflatten(self.form, inputs)), arrays


def _name(fn: Any) -> str:
    fn = fn.func if isinstance(fn, functools.partial) else fn
    name = getattr(fn, "__name__", type(fn).__name__)
    return name if name.isidentifier() else "model"


def _key(part: Any) -> str:
    """One step of a path, of a dict, a sequence or a dataclass."""
    for attribute in ("key", "idx", "name"):
        if hasattr(part, attribute):
            return str(getattr(part, attribute))
    return str(part)
