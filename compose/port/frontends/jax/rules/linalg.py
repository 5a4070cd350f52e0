"""Linear algebra: functions of `jax.numpy.linalg` that are kept whole, and the factorisations below them."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.values import Value


@rule("jax.cholesky")
def _cholesky(low, eqn, x):
    return low.emit(word("ops.cholesky")(symmetrize_input=False), x)


@rule("jax.triangular_solve")
def _triangular(low, eqn, a, b):
    p = eqn.params
    if not p["left_side"] or p["conjugate_a"]:
        raise PortError("a triangular system solved from the left")
    like = a if isinstance(a, Value) else b
    options = {"lower": bool(p["lower"]), "unit_diagonal": bool(p["unit_diagonal"])}
    options |= {"trans": 1} if p["transpose_a"] else {}
    return low.emit(word("ops.solve_triangular")(**options), *(filled(low, v, like) for v in (a, b)))


@rule("jax.jnp_function")
def _whole(low, eqn, *xs):
    """A function that inlining left whole."""
    like = next(v for v in xs if isinstance(v, Value))
    name, options = eqn.whole
    layer = word(f"ops.{name}")
    made = low.emit(layer(**options) if options else layer, *(filled(low, v, like) for v in xs))
    if len(eqn.outputs) == 1:
        return made
    return [low.emit(word("at")(str(i)), made) for i in range(len(eqn.outputs))]
