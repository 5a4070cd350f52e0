"""A function of JAX in float64 throughout, where its own code casts to fewer digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.port.frontends.jax.inlining import Eqn, Flat, Var


def narrows(fn: Callable, *args: Any) -> bool:
    """Whether the function casts anything to floats of fewer digits than float64."""
    return any(_converts(eqn) for eqn in Flat(jax.make_jaxpr(fn)(*args)).eqns)


def widened(fn: Callable) -> Callable:
    """The same function with its casts to fewer digits left out: its trace, run in float64."""

    def run(*args: Any) -> Any:
        traced, out = jax.make_jaxpr(fn, return_shape=True)(*args)
        flat = Flat(traced)
        env: dict[Var, Any] = dict(zip(flat.inputs, jax.tree.leaves(args)))
        read = lambda v: env[v] if isinstance(v, Var) else _wide(v)
        for eqn in flat.eqns:
            inputs = [read(v) for v in eqn.inputs]
            made = inputs if _cast(eqn) else eqn.but(params=_params(eqn.params)).run(inputs)
            env.update(zip(eqn.outputs, made))
        return jax.tree.unflatten(jax.tree.structure(out), [read(v) for v in flat.outputs])

    return run


def _converts(eqn: Eqn) -> bool:
    return eqn.name == "convert_element_type" and _narrow(eqn.outputs[0].dtype) and eqn.outputs[0].dtype != jnp.float64


def _cast(eqn: Eqn) -> bool:
    return _converts(eqn) and _narrow(eqn.inputs[0].dtype)


def _wide(constant: Any) -> Any:
    narrow = isinstance(constant, np.ndarray) and jnp.issubdtype(constant.dtype, jnp.floating)
    return constant.astype(np.float64) if narrow else constant


def _params(params: dict[str, Any]) -> dict[str, Any]:
    return {k: np.dtype(np.float64) if isinstance(v, np.dtype) and _narrow(v) else v for k, v in params.items()}


def _narrow(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))
