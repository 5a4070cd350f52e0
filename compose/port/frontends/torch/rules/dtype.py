"""Conversions of dtype: the precision is the network's, the kind of numbers is the model's.

Where a model computes in half precision, its results are rounded to as many digits, in the network's dtype.
"""

from __future__ import annotations

from typing import Any

import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.registry import rules
from compose.port.lowering.values import Pending, Value

_DIGITS = {torch.float16: (5, 10), torch.bfloat16: (8, 7)}  # bits of the exponent and of the mantissa


@rules("aten.to", "aten._to_copy", "aten.type_as")
def _to(low, node, x: Any, *args: Any, **options: Any):
    return converted(low, node, x)


def converted(low, node, x: Any) -> Any:
    """The value as the kind of numbers that a node gives."""
    if node.meta["val"].dtype is torch.complex32:
        raise PortError("complex numbers in single precision, got them in half")
    before, after = (_kind(of.meta["val"].dtype) for of in (node.args[0], node))
    if before == after:
        return x
    x = low.whole(x.value() if isinstance(x, Pending) else x)
    if after == "complex":
        return low.emit(word("ops.complex"), x, low.emit(word("ops.zeros_like"), x))
    if before == "complex":
        return low.emit(word("ops.real"), x)
    return low.emit(word("ops.astype")(dtype={"bool": "bool", "int": "int32", "float": "float32"}[after]), x)


def rounded(low, node, result: Any) -> Any:
    """The result of a node in as many digits as the model gives it."""
    made = node.meta.get("val")
    if not isinstance(result, Value) or not isinstance(made, torch.Tensor) or made.dtype not in _DIGITS:
        return result
    exponent, mantissa = _DIGITS[made.dtype]
    layer = word("ops.reduce_precision")(exponent_bits=exponent, mantissa_bits=mantissa)
    producer = low.producer(result)
    return result if producer is not None and producer.layer == layer else low.each(layer, result)


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "complex"
    return "float" if dtype.is_floating_point else "bool" if dtype is torch.bool else "int"
