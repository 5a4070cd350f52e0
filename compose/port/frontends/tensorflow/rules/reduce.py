"""Reductions, scans, positions of the largest."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.operands import as_value
from compose.port.frontends.tensorflow.registry import rule, rules

_REDUCE = {
    "Mean": "ops.mean",
    "Sum": "ops.sum",
    "Max": "ops.max",
    "Min": "ops.min",
    "Prod": "ops.prod",
    "Any": "ops.max",
    "All": "ops.min",
}


@rules(*(f"tf.{name}" for name in _REDUCE))
def _reduce(low, op, x, axes):
    x = low.whole(x)
    kept = op.get_attr("keep_dims")
    dims = sorted(int(a) % x.ndim for a in np.ravel(axes))
    if not dims:
        return x
    permutation = low.permutation(x)
    if permutation is not None:
        before, order = permutation
        there = sorted(order[a] for a in dims)
        left = [a for a in order if kept or a not in there]
        if kept or left == sorted(left):
            shape = [1 if a in there else n for a, n in enumerate(before.shape) if kept or a not in there]
            made = _reduced(low, op, before, there, kept, shape)
            return low.permuted(made, order) if kept else made
    return _reduced(low, op, x, dims, kept, low.shape)


def _reduced(low: Any, op: Any, x: Any, dims: list[int], kept: bool, shape: Any) -> Any:
    options: dict[str, Any] = {"keepdims": True} if kept else {}
    space = x.ndim > 2 and dims == list(range(1, x.ndim - 1)) and op.type in ("Mean", "Max")
    if space:
        layer = word("global_avg_pool" if op.type == "Mean" else "global_max_pool")
        return low.emit(layer(**options) if options else layer, x, shape=shape)
    dims = [a - x.ndim if a == x.ndim - 1 else a for a in dims]
    return low.emit(word(_REDUCE[op.type])(axis=tuple(dims) if len(dims) > 1 else dims[0], **options), x, shape=shape)


@rule("tf.L2Loss")
def _l2_loss(low, op, x):
    x = low.whole(x)
    total = low.emit(word("ops.sum"), low.emit(word("ops.square"), x, shape=x.shape))
    return low.emit(word("scale")(by=0.5), total)


@rules("tf.ArgMax", "tf.ArgMin")
def _position(low, op, x, axis):
    x = low.whole(x)
    return low.emit(word(f"ops.{op.type.lower()}")(axis=_last(axis, x)), x)


@rules("tf.Cumsum", "tf.Cumprod")
def _cumulated(low, op, x, axis):
    x = low.whole(x)
    if op.get_attr("exclusive") and op.type == "Cumprod":
        raise PortError("products that include each place, got exclusive=True")
    turn = word("ops.flip")(axis=_last(axis, x))
    made = low.emit(turn, x) if op.get_attr("reverse") else x
    made = low.emit(word(f"ops.{op.type.lower()}")(axis=_last(axis, x)), made)
    made = low.emit(turn, made) if op.get_attr("reverse") else made
    return low.emit(word("subtract"), made, x) if op.get_attr("exclusive") else made


@rules("tf.TopKV2", "tf.TopK")
def _top_k(low, op, x, k):
    shape = low.shape_of(op.outputs[0])
    made = low.emit(word("ops.top_k")(k=int(k)), low.whole(x), shape=shape)
    return [low.emit(word("at")(str(i)), made, shape=shape) for i in range(2)]


def _last(axis: Any, x: Any) -> int:
    """An axis, from the end if it is the last."""
    place = int(axis) % x.ndim
    return -1 if place == x.ndim - 1 else place


@rule("tf.SoftmaxCrossEntropyWithLogits")
def _cross_entropy(low, op, logits, labels):
    return _picked(low, logits, as_value(low, labels, logits))


@rule("tf.SparseSoftmaxCrossEntropyWithLogits")
def _sparse_cross_entropy(low, op, logits, labels):
    return _picked(low, logits, low.emit(word("one_hot")(size=logits.shape[-1]), low.whole(labels), shape=logits.shape))


def _picked(low, logits, shares):
    """The cross entropy of these shares; nothing reads the second output, a gradient."""
    logs = low.emit(word("log_softmax"), low.whole(logits), shape=logits.shape)
    each = low.emit(word("multiply"), shares, logs, shape=logits.shape)
    return [low.emit(word("scale")(by=-1.0), low.emit(word("ops.sum")(axis=-1), each)), None]
