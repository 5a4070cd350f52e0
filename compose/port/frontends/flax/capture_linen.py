"""A Linen module as a function of named arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util

from compose.core.errors import PortError
from compose.flax.modes import mode
from compose.flax.trees import plain
from compose.port.frontends.flax.leaf_modules import Recorder

Arrays = dict[str, Any]


class LinenModel:
    """The arrays of a Linen module by path, `params/Dense_0/kernel`, and its run on such arrays."""

    def __init__(self, module: nn.Module, variables: Any, options: dict[str, Any]):
        if not hasattr(variables, "items"):
            raise PortError("the variables of the module, as from init: from_flax(module, variables, x)")
        self.module, self.options = module, options
        self.name = type(module).__name__
        flat = traverse_util.flatten_dict(plain(variables))
        self.paths = {"/".join(path): path for path in flat}
        self.arrays: Arrays = {"/".join(path): np.asarray(a) for path, a in flat.items()}
        self.trained = [name for name in self.arrays if name.startswith("params/")]

    def run(
        self, arrays: Arrays, inputs: list, train: bool = False, seen: Recorder | None = None
    ) -> tuple[Any, Arrays]:
        """The outputs in float64 and the arrays afterwards, without dropout."""
        variables = traverse_util.unflatten_dict({self.paths[name]: a for name, a in arrays.items()})
        states = [name for name in variables if name != "params"] if train else False
        options: Any = {**self.options, **mode(self.module, train), "mutable": states}

        def call(run, args, kwargs, context):
            module = context.module
            _widen(module)
            if context.method_name != "__call__":
                return run(*args, **kwargs)
            if train and isinstance(module, nn.Dropout):
                return args[0]
            if train and isinstance(module, nn.MultiHeadDotProductAttention):
                object.__setattr__(module, "deterministic", True)
                kwargs = {k: v for k, v in kwargs.items() if k != "deterministic"}
            if seen is None:
                return run(*args, **kwargs)
            return seen.around(module, _path(module), lambda: _arrays(module), run, args, kwargs)

        with nn.intercept_methods(call):
            made: Any = self.module.apply(variables, *inputs, **options)
        out, after = made if train else (made, {})
        return out, {**arrays, **traverse_util.flatten_dict(plain(after), sep="/")}


def _path(module: nn.Module) -> tuple[str, ...]:
    """Where a module is; the elements of a list, `layers_0`, by their number."""
    path = module.path
    above = getattr(module, "parent", None)
    if path and isinstance(above, nn.Sequential):
        return (*path[:-1], path[-1].removeprefix("layers_"))
    return path


def _arrays(module: Any) -> Arrays:
    """The arrays below a module, and below the modules that it holds in its fields, by path."""
    made: Arrays = {}
    for collection in module.variables.values():
        made |= traverse_util.flatten_dict(plain(collection), sep="/")
    for f in dataclasses.fields(module):
        inner = getattr(module, f.name, None)
        if isinstance(inner, nn.Module) and f.name != "parent":
            made |= {f"{f.name}/{k}": a for k, a in _arrays(inner).items()}
    return made


def _widen(module: Any) -> None:
    """Compute in float64 where the module says float32."""
    for f in dataclasses.fields(module):
        value = getattr(module, f.name, None)
        if f.name in ("dtype", "param_dtype") and value is not None and jnp.issubdtype(value, jnp.floating):
            object.__setattr__(module, f.name, jax.dtypes.canonicalize_dtype(np.float64))
        elif isinstance(value, nn.Module) and f.name != "parent":
            _widen(value)
