"""Conversions of dtype."""

from __future__ import annotations

import tensorflow as tf

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.operands import Operands
from compose.port.frontends.tensorflow.registry import rule


@rule("tf.Cast")
def _cast(lowering: Operands, op: tf.Operation, x):
    before, after = op.inputs[0].dtype, op.outputs[0].dtype
    if before == after or (before.is_integer and after.is_integer):
        return x
    if after == tf.bool:
        return lowering.each(word("ops.not_equal")(y=0), x)
    if before.is_complex or after.is_complex:
        raise PortError(f"a cast to floats or whole numbers, got one from {before.name} to {after.name}")
    return lowering.emit(word("ops.astype")(dtype=word("float32" if after.is_floating else "int32")), lowering.whole(x))
