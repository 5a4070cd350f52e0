"""Conversions of dtype."""

from __future__ import annotations

import numpy as np

from compose.core.errors import PortError
from compose.port.frontends.jax.inlining import Eqn
from compose.port.frontends.jax.lower import JaxLowering
from compose.port.frontends.jax.operands import as_type
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.values import Value, Weight


@rule("jax.convert_element_type")
def _convert(low: JaxLowering, eqn: Eqn, x: Value):
    if not isinstance(x, (Value, Weight)):
        return x  # a mask that attention reads
    after, before = (_kind(dtype) for dtype in (eqn.outputs[0].dtype, eqn.inputs[0].dtype))
    if after == before:
        return x
    if isinstance(x, Weight):
        raise PortError(f"a weight of floats, got {x.view.source} converted to {eqn.outputs[0].dtype}")
    if after == "c":
        return low.op("complex", x, low.op("zeros_like", x))
    if after == "b":
        return low.op("not_equal", x, np.zeros((), eqn.inputs[0].dtype))
    return low.emit(as_type(after), x)


def _kind(dtype: np.dtype) -> str:
    """The letter of booleans, whole numbers, floats or complex numbers."""
    return "f" if dtype.kind == "V" else "i" if dtype.kind == "u" else dtype.kind
