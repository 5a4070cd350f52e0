"""Comparisons, choices and masks."""

from __future__ import annotations

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.operands import as_value
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value, Weight

_COMPARED = {
    "Equal": ("ops.equal", True), "NotEqual": ("ops.equal", False), "Greater": ("ops.greater", True),
    "LessEqual": ("ops.greater", False), "Less": ("ops.less", True), "GreaterEqual": ("ops.less", False),
}  # fmt: skip


@rules(*(f"tf.{name}" for name in _COMPARED))
def _compare(low, op, a, b):
    name, holds = _COMPARED[op.type]
    if isinstance(b, np.ndarray) and np.ptp(b) == 0 and isinstance(a, Value) and low.shape == a.shape:
        number = b.reshape(-1)[0]
        made = low.emit(word(name)(y=number.item()), low.whole(a))
    else:
        like = low.whole(a if isinstance(a, Value) else b)
        made = low.emit(word(name), *(as_value(low, v, like) for v in (a, b)))
    return made if holds else low.emit(word("ops.logical_not"), made)


@rule("tf.LogicalNot")
def _not(low, op, x):
    return low.emit(word("ops.logical_not"), low.whole(x))


@rules("tf.LogicalAnd", "tf.LogicalOr")
def _both(low, op, a, b):
    return low.emit(
        word("ops.logical_and" if op.type == "LogicalAnd" else "ops.logical_or"), low.whole(a), low.whole(b)
    )


@rules("tf.SelectV2", "tf.Select")
def _where(low, op, condition, a, b):
    if not isinstance(condition, Value):
        raise PortError("a choice by a condition that depends on the input")
    condition = low.whole(condition)
    if condition.ndim == 1 < len(low.shape):  # TF1's choice of whole examples
        condition = low.emit(
            word("reshape")(*(1,) * (len(low.shape) - 1)),
            condition,
            shape=condition.shape + (1,) * (len(low.shape) - 1),
        )
    like = next((v for v in (a, b) if isinstance(v, Value)), condition)
    plain = [v.reshape(-1)[:1].reshape(()) if isinstance(v, np.ndarray) and np.ptp(v) == 0 else v for v in (a, b)]
    return low.emit(word("ops.where"), condition, *(as_value(low, v, like) for v in plain))


@rule("tf.MatrixBandPart")
def _band(low, op, x, below, above):
    x = low.whole(x)
    rows, columns = np.indices(x.shape[-2:])
    inside = ((rows - columns <= below) | (below < 0)) & ((columns - rows <= above) | (above < 0))
    mask = Weight.constant(inside.astype(np.float64))
    return low.emit(word("learned_scale")(shape=mask.shape), x, weights={"scale": mask})
