"""Comparisons, choices, and constants shaped as values."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.float64 import exact
from compose.port.frontends.torch.operands import as_value, with_array
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.rules.mask import Allowed, Hidden
from compose.port.lowering.values import Pending, Value, Weight

_COMPARED = {
    "eq": ("equals", True), "ne": ("equals", False), "gt": ("greater", True), "le": ("greater", False),
    "lt": ("less", True), "ge": ("less", False),
}  # fmt: skip


@rules(*(f"aten.{name}" for name in _COMPARED))
def _compare(low, node, a, b):
    name, holds = _COMPARED[str(node.target).split(".")[1]]
    if isinstance(b, (int, float)):
        made = low.emit(word(name)(value=b), low.whole(a))
    else:
        a, b = _alike(low, a, b)
        made = low.emit(word(name), a, b)
    return made if holds else low.emit(word("logical_not"), made)


@rules("aten.logical_not", "aten.bitwise_not")
def _not(low, node, x):
    return low.emit(word("logical_not"), low.whole(x))


@rules("aten.logical_and", "aten.bitwise_and", "aten.__and__")
def _and(low, node, a, b):
    known, other = (a, b) if isinstance(a, np.ndarray) else (b, a)
    if not isinstance(known, np.ndarray):
        return low.emit(
            word("logical_and"), *_alike(low, *(v.value() if isinstance(v, Pending) else v for v in (a, b)))
        )
    if isinstance(other, Allowed):
        known, other = known & other.known, other.by
    return Allowed(low, known, other, low.shape)


@rules("aten.logical_or", "aten.bitwise_or", "aten.__or__")
def _or(low, node, a, b):
    hidden = (low.emit(word("logical_not"), v) for v in _alike(low, a, b))
    return low.emit(word("logical_not"), low.emit(word("logical_and"), *hidden))


@rules("aten.where")
def _where(low, node, condition, a, b):
    like = next(v for v in (condition, a, b) if isinstance(v, Value) and v.ndim == len(low.shape))
    arrays = [np.full((1,) * like.ndim, v, float) if isinstance(v, (int, float)) else v for v in (condition, a, b)]
    return low.emit(word("where"), *(low.moved(as_value(low, v, like), low.whole(like).axes) for v in arrays))


def _alike(low, a: Any, b: Any) -> tuple[Value, Value]:
    like = a if isinstance(a, Value) else b
    a, b = (as_value(low, v, like) for v in (a, b))
    a = low.whole(a)
    if a.ndim != b.ndim:
        raise PortError(f"values of as many axes, got {a.ndim} and {b.ndim}")
    return a, low.moved(b, a.axes)


@rule("aten.masked_fill")
def _masked_fill(low, node, x, mask, value):
    value = float(value)
    if isinstance(mask, Value):
        hides = isinstance(x, np.ndarray) and not x.any() and value == -np.inf
        return Hidden(mask) if hides else _where(low, node, mask, value, x)
    hidden = np.asarray(mask.array if isinstance(mask, Weight) else mask)
    if value != -np.inf:  # to which a softmax gives no gradient
        x = with_array(low, "multiply", x, np.where(hidden, 0.0, 1.0))
    return with_array(low, "add", x, np.where(hidden, value, 0.0))


_FILLED = {"zeros_like": 0, "ones_like": 1, "new_zeros": 0, "new_ones": 1, "full_like": None, "new_full": None}


@rules(*(f"aten.{name}" for name in _FILLED))
def _filled(low, node, x, *args, **options):
    fill = _FILLED[str(node.target).split(".")[1]]
    value = args[-1] if fill is None else fill
    with exact():
        return torch.full((), value, dtype=node.meta["val"].dtype).expand(low.shape).numpy()
