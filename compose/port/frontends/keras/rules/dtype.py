"""Conversions of dtype."""

from __future__ import annotations

from compose.core.registry import word
from compose.port.frontends.keras.registry import rule


@rule("keras.ops.Cast")
def _cast(walk, op, x):
    given = walk.given.dtype
    if given == "bool" and "float" in op.dtype:
        return walk.emit(word("scale")(by=1.0), x)
    if op.dtype == "bool":
        return x if given == "bool" else walk.emit(word("ops.not_equal")(y=0), x)
    if given == op.dtype or ("float" in given and "float" in op.dtype):
        return x
    return walk.emit(word("ops.astype")(dtype=word("float32" if "float" in op.dtype else "int32")), x)
