"""Conversions of dtype: the precision is the network's, the kind of numbers is the model's."""

from __future__ import annotations

from typing import Any

import torch

from compose.core.registry import word
from compose.port.frontends.torch.registry import rules
from compose.port.lowering.values import Pending


@rules("aten.to", "aten._to_copy", "aten.type_as")
def _to(low, node, x: Any, *args: Any, **options: Any):
    before, after = (_kind(of.meta["val"].dtype) for of in (node.args[0], node))
    if before == after:
        return x
    x = low.whole(x.value() if isinstance(x, Pending) else x)
    return low.emit(word("ops.astype")(dtype={"bool": "bool", "int": "int32", "float": "float32"}[after]), x)


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "complex"
    return "float" if dtype.is_floating_point else "bool" if dtype is torch.bool else "int"
