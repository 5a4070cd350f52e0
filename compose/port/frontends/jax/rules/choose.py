"""Choices by data: `lax.cond` and `lax.switch`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.inlining import Eqn, Var, Way
from compose.port.frontends.jax.lower import JaxLowering
from compose.port.frontends.jax.operands import as_type
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.values import Value
from compose.port.lowering.choose import chosen, one_of


@rule("jax.cond")
def _cond(low: JaxLowering, eqn: Eqn, index: Value, *given):
    ways = [lambda way=way: _results(low, eqn, way) for way in eqn.ways]
    condition = _converted(low)
    if condition is not None and len(ways) == 2:
        return chosen(low, condition, (ways[1], ways[0]))
    larger = lambda x, n: low.emit(word("ops.greater")(y=n), x, shape=()).but(dtype=np.dtype(bool))
    return one_of(low, index, ways, larger)


def _converted(low: JaxLowering) -> Value | None:
    """The boolean that the number of the branch was converted from."""
    maker = low.maker(0)
    before: Any = maker.inputs[0] if maker is not None and maker.name == "convert_element_type" else None
    made = low.seen(before) if isinstance(before, Var) and before.dtype == jnp.bool_ else None
    return made if isinstance(made, Value) else None


def _results(low: JaxLowering, eqn: Eqn, way: Way) -> list[Value]:
    """What a branch returns; whole numbers in one dtype, since the two branches may count in others."""
    results = []
    for x, out in zip(low.within_way(way), eqn.outputs):
        made = filled(low, x).but(shape=out.shape)
        made = low.emit(as_type("i"), made, shape=out.shape) if out.dtype.kind in "iu" else made
        results.append(made.but(dtype=out.dtype))
    return results
