"""`keras.ops` that take parts of values or multiply and pool them: indexing, einsum, convolution, pooling."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.encode import new_sizes
from compose.port.frontends.keras.rules.image import layout, one
from compose.port.lowering.values import GraphValue


@rule("keras.ops.Einsum")
def _einsum(walk, op, *operands):
    equation = op.subscripts.replace(" ", "")
    if len(operands) != 2 or not isinstance(operands[0], GraphValue):
        raise PortError(f"an einsum of two values, or of a value and a weight after it, got {equation!r}")
    a, b = operands
    if isinstance(b, keras.Variable):
        return walk.emit(word("einsum")(equation, new_sizes(equation, b.shape)), a, weights={"kernel": b})
    left, right, out = equation.replace("->", ",").split(",")
    same = [c for c in left if c in right and c in out]
    rows, sums, columns = (
        [c for c in left if c not in right],
        [c for c in left if c in right and c not in out],
        [c for c in right if c not in left],
    )
    if any(len(group) != 1 for group in (rows, sums, columns)) or "." in equation:
        raise PortError(f"an einsum that is one matrix product, got {equation!r}; write it as ops.matmul")
    a = _ordered(walk, a, left, [*same, *rows, *sums])
    b = _ordered(walk, b, right, [*same, *sums, *columns])
    return _ordered(walk, walk.emit(word("matmul"), a, b), [*same, *rows, *columns], list(out))


def _ordered(walk: Any, x: GraphValue, given: Any, wanted: list[str]) -> GraphValue:
    """A value with its lettered axes in another order."""
    given = list(given)
    return x if given == wanted else walk.emit(word("permute")(*(given.index(c) for c in wanted)), x)


@rule("keras.ops.Take")
def _take(walk, op, x, indices):
    if isinstance(x, keras.Variable) and isinstance(indices, GraphValue) and op.axis == 0 and len(x.shape) == 2:
        return walk.emit(word("embedding")(*x.shape), indices, weights={"embedding": x})
    if not isinstance(x, GraphValue) or isinstance(indices, GraphValue) or op.axis is None:
        raise PortError("rows of a weight by ids, or parts of a value by numbers that depend on no data")
    rank = len(walk.node.input_tensors[0].shape)
    lead = ":, " * (op.axis % rank)
    if isinstance(indices, int):
        return walk.emit(word("at")(f"{lead}{indices}"), x)
    places = [int(i) for i in np.asarray(keras.ops.convert_to_numpy(indices)).ravel()]
    parts = [walk.emit(word("at")(f"{lead}{i}:{i + 1 or ''}"), x) for i in places]
    return walk.emit(word("concat")(axis=op.axis), *parts)


@rule("keras.ops.OneHot")
def _one_hot(walk, op, x):
    if op.axis not in (-1, len(walk.node.output_tensors[0].shape) - 1):
        raise PortError("one-hot vectors on the last axis")
    return walk.emit(word("one_hot")(size=op.num_classes), x)


@rules("keras.ops.MaxPool", "keras.ops.AveragePool")
def _pool(walk, op, x):
    average = type(op).__name__ == "AveragePool"
    options: dict[str, Any] = layout(op) | {"padding": op.padding}
    if op.strides is not None and one(op.strides) != one(op.pool_size):
        options["stride"] = one(op.strides)
    if average and op.padding != "valid":
        options["count_padding"] = False
    if op.padding == "valid":
        del options["padding"]
    return walk.emit(word("avg_pool" if average else "max_pool")(one(op.pool_size), **options), x)


@rule("keras.ops.Conv")
def _conv(walk, op, x, kernel):
    if not isinstance(kernel, keras.Variable):
        raise PortError("a convolution whose kernel is a weight")
    made = word("conv")(
        kernel.shape[-1], one(kernel.shape[:-2]), stride=one(op.strides), padding=op.padding,
        dilation=one(op.dilation_rate), groups=_channels(walk, op) // kernel.shape[-2], bias=False, **layout(op),
    )  # fmt: skip
    return walk.emit(made, x, weights={"kernel": kernel})


def _channels(walk: Any, op: Any) -> int:
    return walk.node.input_tensors[0].shape[1 if layout(op) else -1]


@rule("keras.ops.Pad")
def _pad(walk, op, x, constant_values=None):
    first, *middle, last = (tuple(w) for w in op.pad_width)
    if op.mode != "constant" or constant_values not in (None, 0) or first != (0, 0) or last != (0, 0):
        raise PortError("zeros around all axes but the first and the last")
    return walk.emit(word("pad")(tuple(middle)), x)


@rules("keras.ops.Norm", "keras.ops.Normalize")
def _norm(walk, op, x):
    order = op.order if type(op).__name__ == "Normalize" else op.ord
    axis = op.axis[0] if isinstance(op.axis, (list, tuple)) and len(op.axis) == 1 else op.axis
    if order not in (None, 2, "fro") or not isinstance(axis, int):
        raise PortError("the Euclidean norm along one axis")
    if type(op).__name__ == "Normalize":
        return walk.emit(word("unit_norm")(axis=axis), x)
    return walk.emit(word("norm")(axis=axis, **({"keepdims": True} if op.keepdims else {})), x)
