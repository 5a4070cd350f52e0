"""A live NNX module as a function of named arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from compose.core.errors import PortError
from compose.flax.modes import mode
from compose.port.frontends.flax.leaf_modules import Recorder

Arrays = dict[str, Any]
_PLACE = "place_in_model"


class NnxModel:
    """The variables of an NNX module by path, `encoder/layers/0/kernel`, and its run on such arrays."""

    def __init__(self, module: nnx.Module, options: dict[str, Any]):
        self.options = options
        self.name = type(module).__name__
        self.graph, self.streams, variables = nnx.split(module, nnx.RngState, ...)
        self.flat = {_name(path): (path, v) for path, v in nnx.to_flat_state(variables)}
        bare = [name for name, (_, v) in self.flat.items() if not isinstance(v, nnx.Variable)]
        if bare:
            raise PortError(f"arrays in variables, nnx.Param or another, got bare ones: {', '.join(bare)}")
        self.arrays: Arrays = {name: np.asarray(v.get_value()) for name, (_, v) in self.flat.items()}
        self.trained = [name for name, (_, v) in self.flat.items() if isinstance(v, nnx.Param)]

    def run(
        self, arrays: Arrays, inputs: list, train: bool = False, seen: Recorder | None = None
    ) -> tuple[Any, Arrays]:
        """The outputs in float64 and the arrays afterwards, without dropout."""
        given = {path: v.replace(arrays[name]) for name, (path, v) in self.flat.items()}
        streams = nnx.map_state(lambda _, v: v.replace(v.get_value()), self.streams)
        module: Any = nnx.merge(self.graph, streams, nnx.from_flat_state(given))
        module.train() if train else module.eval()
        for _, inner in nnx.iter_modules(module):
            _widen(inner)
        with _watched(module, seen):
            out = module(*inputs, **{**self.options, **mode(module, train)})
        _, _, after = nnx.split(module, nnx.RngState, ...)
        found = {_name(path): v.get_value() for path, v in nnx.to_flat_state(after)}
        return out, {name: found[name] for name in arrays}


@contextlib.contextmanager
def _watched(module: nnx.Module, seen: Recorder | None) -> Iterator[None]:
    """The calls of all modules inside are shown to `seen`."""
    if seen is None:
        yield
        return
    before: dict[type, Any] = {}
    for path, inner in nnx.iter_modules(module):
        setattr(inner, _PLACE, "/".join(_path(path)))  # which copies that scan and vmap make keep
        cls = type(inner)
        if cls not in before and callable(inner):
            before[cls] = vars(cls).get("__call__")
            cls.__call__ = _shown(cls.__call__, seen)
    try:
        yield
    finally:
        for cls, fn in before.items():
            if fn is None:
                del cls.__call__
            else:
                cls.__call__ = fn


def _shown(call: Any, seen: Recorder) -> Any:
    def shown(module, *args, **kwargs):
        place = getattr(module, _PLACE, None)
        if place is None:
            return call(module, *args, **kwargs)
        path = tuple(place.split("/")) if place else ()
        return seen.around(module, path, lambda: _arrays(module), lambda *a, **k: call(module, *a, **k), args, kwargs)

    return shown


def _attention(*args: Any, **options: Any) -> Any:
    """NNX's attention written out, at a rate that is not applied: with none it calls JAX's, which rounds to float32."""
    return nnx.dot_product_attention(*args, **{**options, "dropout_rate": 0.5, "deterministic": True})


def _arrays(module: nnx.Module) -> Arrays:
    _, _, variables = nnx.split(module, nnx.RngState, ...)
    return {_name(path): v.get_value() for path, v in nnx.to_flat_state(variables)}


def _name(path: tuple) -> str:
    return "/".join(map(str, path))


def _path(path: tuple) -> tuple[str, ...]:
    """Where a module is; what a list holds is by its number, below the list's name where that says something."""
    return tuple(str(key) for i, key in enumerate(path) if not (key == "layers" and i + 1 < len(path)))


def _widen(module: Any) -> None:
    """Compute in float64 where the module says float32, and drop nothing."""
    if isinstance(module, (nnx.Dropout, nnx.MultiHeadAttention)):
        module.deterministic = True
    if isinstance(module, nnx.MultiHeadAttention) and module.attention_fn is nnx.dot_product_attention:
        module.attention_fn = _attention
    for name in ("dtype", "param_dtype"):
        value = getattr(module, name, None)
        if value is not None and jnp.issubdtype(value, jnp.floating):
            setattr(module, name, jnp.float64)
