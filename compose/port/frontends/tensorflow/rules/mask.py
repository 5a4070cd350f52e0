"""Comparisons, choices and masks."""

from __future__ import annotations

import numpy as np

from compose.core.registry import word
from compose.port.frontends.tensorflow.choices import choice_name
from compose.port.frontends.tensorflow.operands import as_value
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.literals import number

_COMPARED = {
    "Equal": "equal", "NotEqual": "not_equal", "Greater": "greater", "LessEqual": "less_equal",
    "Less": "less", "GreaterEqual": "greater_equal",
}  # fmt: skip


@rules(*(f"tf.{name}" for name in _COMPARED))
def _compare(low, op, a, b):
    layer = word(f"ops.{_COMPARED[op.type]}")
    if isinstance(b, np.ndarray) and np.ptp(b) == 0 and isinstance(a, Value) and low.shape == a.shape:
        return low.emit(layer(y=b.reshape(-1)[0].item()), low.whole(a))
    like = low.whole(a if isinstance(a, Value) else b)
    return low.emit(layer, *(as_value(low, v, like) for v in (a, b)))


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
    if choice_name(op.name) is not None:
        return low.emit(word("ops.where"), low.whole(condition), *(_result(low, op, v) for v in (a, b)))
    if isinstance(condition, Value):
        condition = low.whole(condition)
    else:
        condition = as_value(low, np.asarray(condition), next(v for v in (a, b) if isinstance(v, Value)))
    if condition.ndim == 1 < len(low.shape):  # TF1's choice of whole examples
        condition = low.emit(
            word("reshape")(*(1,) * (len(low.shape) - 1)),
            condition,
            shape=condition.shape + (1,) * (len(low.shape) - 1),
        )
    like = next((v for v in (a, b) if isinstance(v, Value)), condition)
    if isinstance(a, np.ndarray) and isinstance(b, Value) and number(a) is not None:
        condition, a, b = low.emit(word("ops.logical_not"), condition, shape=condition.shape), b, a
    known = b.reshape(-1)[0].item() if isinstance(b, np.ndarray) and number(b) is not None else None
    if known is not None and isinstance(a, Value) and low.shape in (a.shape, condition.shape):
        return low.emit(word("ops.where")(y=known), condition, low.whole(a))
    plain = [v.reshape(-1)[:1].reshape(()) if isinstance(v, np.ndarray) and np.ptp(v) == 0 else v for v in (a, b)]
    for v in (a, b):
        condition = low.widened(condition, v) if isinstance(v, np.ndarray) else condition
    return low.emit(word("ops.where"), condition, *(as_value(low, v, like) for v in plain))


def _result(low, op, x):
    """What a branch of a choice returns, of its whole shape; whole numbers in one dtype."""
    shape, like = low.shape, low.inputs[0]
    if isinstance(x, Value):
        x = low.whole(x)
    elif shape[:1] == (low.batch,):
        x = as_value(low, x, like if like.ndim >= len(shape) else like.but(shape=shape, ours=shape))
        x = low.emit(word("broadcast_to")(*shape[1:]), x) if x.shape != shape else x
    else:
        layer, arrays = layer_of(x, shape, batch=False)
        x = low.emit(layer, low.whole(like), shape=shape, **arrays)
    return low.emit(word("ops.astype")(dtype=word("int32")), x) if op.outputs[0].dtype.is_integer else x


@rule("tf.MatrixBandPart")
def _band(low, op, x, below, above):
    x = low.whole(x)
    rows, columns = np.indices(x.shape[-2:])
    inside = ((rows - columns <= below) | (below < 0)) & ((columns - rows <= above) | (above < 0))
    inside = inside.reshape(*(1,) * (x.ndim - 2), *inside.shape)
    return low.emit(word("ops.where")(y=0.0), as_value(low, inside, x), x)
