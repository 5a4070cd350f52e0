"""Conversions of dtype."""

from __future__ import annotations

import numpy as np

from compose.core.registry import word
from compose.port.frontends.flax.inlining import Eqn
from compose.port.frontends.flax.lower import FlaxLowering
from compose.port.frontends.flax.registry import rule
from compose.port.frontends.flax.values import Value, Weight


@rule("jax.convert_element_type")
def _convert(lowering: FlaxLowering, eqn: Eqn, x: Value):
    if not isinstance(x, (Value, Weight)):
        return x  # a mask that attention reads
    kinds = [np.issubdtype(dtype, np.floating) for dtype in (eqn.outputs[0].dtype, eqn.inputs[0].dtype)]
    if kinds[0] == kinds[1]:
        return x
    return lowering.emit(word("ops.astype")(dtype=word("float32" if kinds[0] else "int32")), x)
