"""Comparisons, choices, repeats, and ids as rows of zeros with a one."""

from __future__ import annotations

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules
from compose.port.tensorflow.values import Value, Weight

_COMPARED = {
    "Equal": ("equals", True), "NotEqual": ("equals", False), "Greater": ("greater", True),
    "LessEqual": ("greater", False), "Less": ("less", True), "GreaterEqual": ("less", False),
}  # fmt: skip


@rules(*(f"tf.{name}" for name in _COMPARED))
def _compare(low, op, a, b):
    name, holds = _COMPARED[op.type]
    if isinstance(b, np.ndarray) and b.size == 1:
        made = low.emit(word(name)(value=float(b.reshape(-1)[0])), low.whole(a))
    else:
        made = low.emit(word(name), low.whole(a), low.whole(b))
    return made if holds else low.emit(word("logical_not"), made)


@rule("tf.LogicalNot")
def _not(low, op, x):
    return low.emit(word("logical_not"), low.whole(x))


@rule("tf.LogicalAnd")
def _and(low, op, a, b):
    return low.emit(word("logical_and"), low.whole(a), low.whole(b))


@rules("tf.SelectV2", "tf.Select")
def _where(low, op, condition, a, b):
    if not isinstance(condition, Value):
        raise PortError("a choice by a condition that depends on the input")
    parts = [v if isinstance(v, Value) else _filled(low, v, condition) for v in (a, b)]
    return low.emit(word("where"), *map(low.whole, (condition, *parts)))


def _filled(low, given, like: Value) -> Value:
    """A number as a value that broadcasts."""
    if isinstance(given, Weight) or given.size != 1:
        raise PortError("a choice between values and numbers")
    sizes = (1,) * (like.ndim - 1)
    held = Weight.constant(given.reshape(sizes))
    return low.emit(word("parameter")(*sizes), like, shape=(like.shape[0], *sizes), weights={"value": held})


@rule("tf.OneHot")
def _one_hot(low, op, ids, size, on, off):
    last = op.get_attr("axis") in (-1, len(low.shape) - 1)
    if not last or float(on) != 1 or float(off) != 0:
        raise PortError("ones and zeros along the last axis")
    return low.emit(word("one_hot")(size=int(size)), low.whole(ids))
