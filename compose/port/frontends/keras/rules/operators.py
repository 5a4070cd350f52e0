"""Sums and products of `keras.ops` with values, numbers, arrays and weights."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.lower import KerasLowering
from compose.port.frontends.keras.registry import rules
from compose.port.lowering.binary import binary
from compose.port.lowering.values import GraphValue, Operand


@rules("keras.ops.Add", "keras.ops.Multiply", "keras.ops.Subtract", "keras.ops.Divide", "keras.ops.TrueDivide")
def _operator(lowering: KerasLowering, op: Any, a: Operand, b: Operand) -> GraphValue:
    return binary(lowering, type(op).__name__.removeprefix("True").lower(), lowering.operand(a), lowering.operand(b))


@rules("keras.ops.Matmul", "keras.ops.Dot")
def _matmul(lowering: KerasLowering, op: Any, a: Operand, b: Operand) -> GraphValue:
    weight = lowering.weight(b)
    if isinstance(a, GraphValue) and weight is not None and len(weight.shape) == 2:
        return lowering.emit(word("fc")(weight.shape[1], bias=False), a, weights={"kernel": b})
    if type(op).__name__ == "Dot" or not (isinstance(a, GraphValue) and isinstance(b, GraphValue)):
        raise PortError("the matrix product of two values, or of a value and a weight after it")
    return lowering.emit(word("matmul"), a, b)
