"""Functions with a derivative of their own, which may be another than that of what they compute."""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from compose.core.errors import PortError

_LARGEST = 1 << 22
_JAX = os.path.dirname(str(jax.__file__)) + os.sep


def refuse_other_derivatives(eqn: Any, inner: ClosedJaxpr, where: tuple) -> None:
    """Raise `PortError` for a `custom_jvp` or `custom_vjp` whose derivative differs from that of its operations.

    Functions of JAX itself have one for the sake of precision, and are taken as they are.
    """
    info = getattr(inner.jaxpr, "debug_info", None)
    if _JAX in str(getattr(info, "func_src_info", "")) or any(v.aval.size > _LARGEST for v in eqn.outvars):
        return
    given = [v for v in eqn.invars if not isinstance(v, Literal)]
    try:
        alone = inner.jaxpr.replace(
            constvars=[], invars=given, outvars=list(eqn.outvars), eqns=[eqn], effects=inner.jaxpr.effects,
            debug_info=None if info is None else info.with_unknown_names(),
        )  # fmt: skip
        own = _pulled(jaxpr_as_fun(ClosedJaxpr(alone, ())), given)
    except (AttributeError, TypeError):  # a version of JAX whose records differ
        return
    fixed = {i: v.val for i, v in enumerate(eqn.invars) if isinstance(v, Literal)}

    def plain(*arrays: Any) -> Any:
        rest = iter(arrays)
        every = [fixed[i] if i in fixed else next(rest) for i in range(len(eqn.invars))]
        return jaxpr_as_fun(inner)(*every[len(every) - len(inner.jaxpr.invars) :])

    for mine, other in zip(own, _pulled(plain, given)):
        if not np.allclose(mine, other, rtol=1e-4, atol=1e-6, equal_nan=True):
            name = getattr(info, "func_name", None) or eqn.params.get("name") or "a function"
            raise PortError(
                f"functions with the derivative of what they compute, got {name} with another by {eqn.primitive.name}; "
                "make it a layer with @compose.register"
            )


def _pulled(fn: Any, given: list) -> list[np.ndarray]:
    """The gradients of the floating-point arguments along a random cotangent, at random places."""
    rng = np.random.default_rng(1)
    floating = [jnp.issubdtype(v.aval.dtype, jnp.floating) for v in given]
    arrays = [
        rng.normal(size=v.aval.shape).astype(v.aval.dtype) if f else np.zeros(v.aval.shape, v.aval.dtype)
        for v, f in zip(given, floating)
    ]
    with jax.ensure_compile_time_eval():

        def of_floats(*floats: Any) -> list:
            rest = iter(floats)
            out = fn(*(next(rest) if f else a for a, f in zip(arrays, floating)))
            return [y for y in jax.tree.leaves(out) if jnp.issubdtype(y.dtype, jnp.floating)]

        out, pull = jax.vjp(of_floats, *(a for a, f in zip(arrays, floating) if f))
        return [np.asarray(g) for g in pull([jnp.asarray(rng.normal(size=y.shape), y.dtype) for y in out])]
