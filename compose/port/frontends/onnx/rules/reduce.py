"""Reductions, scans, positions of the largest."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules

_REDUCED = {
    "Mean": "ops.mean", "Sum": "ops.sum", "Max": "ops.max", "Min": "ops.min", "Prod": "ops.prod",
    "LogSumExp": "ops.logsumexp", "L2": "norm", "L1": "norm", "SumSquare": "ops.sum", "LogSum": "ops.sum",
}  # fmt: skip


@rules(*(f"onnx.Reduce{name}" for name in _REDUCED))
def _reduce(low: Any, node, x, axes=None):
    kind = node.op.removeprefix("onnx.Reduce")
    name, x = _REDUCED[kind], low.whole(x)
    given = node.get("axes") if axes is None else [int(a) for a in low.known(axes).ravel()]
    if not given and node.get("noop_with_empty_axes", 0):
        return x
    if kind == "SumSquare":
        x = low.emit(word("ops.square"), x, shape=x.shape)
    dims = [a % x.ndim for a in given or range(x.ndim)]
    ours = sorted(x.axis(a) for a in dims)
    kept = bool(node.get("keepdims", 1))
    if name in ("ops.mean", "ops.max") and ours == list(range(1, x.ndim - 1)) and x.axes[0] == 0 and x.ndim > 2:
        layer = word("global_avg_pool" if name == "ops.mean" else "global_max_pool")
    else:
        layer = word(name)(axis=tuple(ours) if len(ours) > 1 else ours[0], **({"order": 1.0} if kind == "L1" else {}))
    layer = layer(keepdims=True) if kept else layer
    left: Any = x.axes if kept else tuple(a - sum(d < a for d in dims) for a in x.axes if a not in dims)
    made = low.emit(layer, x, axes=left)
    return low.emit(word("ops.log"), made) if kind == "LogSum" else made


@rules("onnx.ArgMax", "onnx.ArgMin")
def _argmax(low, node, x):
    if node.get("select_last_index", 0):
        raise PortError("of those that tie the first, got select_last_index")
    x = low.whole(x)
    axis = node.get("axis", 0) % x.ndim
    kept = bool(node.get("keepdims", 1))
    layer = word("ops.argmax" if node.op == "onnx.ArgMax" else "ops.argmin")(axis=x.axis(axis))
    left = x.axes if kept else tuple(a - (axis < a) for a in x.axes if a != axis)
    return low.emit(layer(keepdims=True) if kept else layer, x, axes=left)


@rules("onnx.CumSum", "onnx.CumProd")
def _running(low, node, x, axis):
    if node.get("exclusive", 0) and node.op == "onnx.CumProd":
        raise PortError("running products that include each place, got exclusive")
    x = low.whole(x)
    at = x.axis(int(low.known(axis).item()))
    back = word("ops.flip")(axis=at) if node.get("reverse", 0) else None
    x = x if back is None else low.emit(back, x)
    made = low.emit(word("ops.cumsum" if node.op == "onnx.CumSum" else "ops.cumprod")(axis=at), x)
    made = low.joined("subtract", made, x) if node.get("exclusive", 0) else made
    return made if back is None else low.emit(back, made)


@rule("onnx.TopK")
def _top(low, node, x, count):
    k, axis = int(low.known(count).item()), node.get("axis", -1) % x.ndim
    x = low.moved(x, (*(a for a in low.whole(x).axes if a != axis), axis))
    least = not node.get("largest", 1)
    both = low.emit(word("ops.top_k")(k=k), low.emit(word("scale")(by=-1), x, shape=x.shape) if least else x)
    values, places = (low.emit(word("at")(str(i)), both, axes=x.axes) for i in (0, 1))
    return low.emit(word("scale")(by=-1), values) if least else values, places
