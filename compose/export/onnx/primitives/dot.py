"""Products of matrices and convolutions."""

from __future__ import annotations

import math

import numpy as np

from compose.export.errors import ExportError
from compose.export.onnx.primitives.shape import padded, spread
from compose.export.onnx.registry import primitive

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@primitive("dot_general")
def dot_general(writer, equation, a, b):
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    dtype = equation.outvars[0].aval.dtype
    a, b = writer.cast(a, dtype), writer.cast(b, dtype)
    shape = equation.outvars[0].aval.shape
    last = len(a.shape) - 1
    if not left_batch and left == (last,) and len(b.shape) == 2:
        b = b if right == (0,) else writer.transpose(b, (1, 0))
        return writer.node("MatMul", a, b, like=a, shape=shape)
    leading = tuple(range(len(left_batch)))
    matrices = len(a.shape) == len(b.shape) == len(leading) + 2
    if matrices and left_batch == right_batch == leading and len(left) == 1:
        n = len(leading)
        a = a if left == (n + 1,) else writer.transpose(a, (*leading, n + 1, n))
        b = b if right == (n,) else writer.transpose(b, (*leading, n + 1, n))
        return writer.node("MatMul", a, b, like=a, shape=shape)
    names = iter(LETTERS)
    first = [next(names) for _ in a.shape]
    second = [""] * len(b.shape)
    for i, j in (*zip(left_batch, right_batch), *zip(left, right)):
        second[j] = first[i]
    second = [name or next(names) for name in second]
    free_left = [first[i] for i in range(len(first)) if i not in (*left, *left_batch)]
    free_right = [second[j] for j in range(len(second)) if j not in (*right, *right_batch)]
    result = "".join([*(first[i] for i in left_batch), *free_left, *free_right])
    return writer.node("Einsum", a, b, like=a, shape=shape, equation=f"{''.join(first)},{''.join(second)}->{result}")


@primitive("conv_general_dilated")
def conv(writer, equation, x, kernel):
    p = equation.params
    lhs, rhs, result = p["dimension_numbers"]
    if p["batch_group_count"] != 1:
        raise ExportError("a convolution", f"one over {p['batch_group_count']} groups of examples")
    x, kernel = writer.transpose(x, lhs), writer.transpose(kernel, rhs)
    stretch, pads = p["lhs_dilation"], p["padding"]
    rank = len(x.shape) - 2
    if any(n != 1 for n in stretch):
        zero = np.zeros((), x.dtype)
        for axis, n in enumerate(stretch):
            x = spread(writer, x, zero, axis + 2, n - 1) if n > 1 else x
    if any(min(pair) < 0 for pair in pads):
        x = padded(writer, x, [0, 0, *(min(lo, 0) for lo, _ in pads)], [0, 0, *(min(hi, 0) for _, hi in pads)], 0)
        pads = [(max(lo, 0), max(hi, 0)) for lo, hi in pads]
    shape = equation.outvars[0].aval.shape
    y = writer.node(
        "Conv", x, kernel, like=x, shape=[shape[i] for i in result], group=p["feature_group_count"],
        kernel_shape=list(kernel.shape[2:]), strides=list(p["window_strides"]), dilations=list(p["rhs_dilation"]),
        pads=[lo for lo, _ in pads] + [hi for _, hi in pads],
    )  # fmt: skip
    order = [result.index(i) for i in range(rank + 2)]
    return writer.transpose(y, tuple(order))


@primitive("reduce_window_max", "reduce_window_min", "reduce_window_sum")
def reduce_window(writer, equation, x):
    p, name = equation.params, equation.primitive.name
    size, stride, pads, dilation = (p[k] for k in ("window_dimensions", "window_strides", "padding", "window_dilation"))
    if any(n != 1 for n in p["base_dilation"]):
        raise ExportError("windows over the input", "windows over a stretched input")
    rank = len(size)
    over = [i for i in range(rank) if size[i] > 1 or stride[i] > 1 or any(pads[i])]
    rest = [i for i in range(rank) if i not in over]
    if not over:
        return x
    if len(over) > 3 or rank - len(over) < 1:
        raise ExportError("windows over one to three axes", f"windows {size}")
    order = [*rest, *over]
    moved = writer.transpose(x, tuple(order))
    kept = [x.shape[i] for i in rest]
    lead = [kept[0], 1 if len(kept) == 1 else math.prod(kept[1:])]
    flat = writer.reshape(moved, [*lead, *(x.shape[i] for i in over)])
    shape = equation.outvars[0].aval.shape
    space = [shape[i] for i in over]
    pick = lambda values: [values[i] for i in over]
    options = dict(
        kernel_shape=pick(size), strides=pick(stride), dilations=pick(dilation),
        pads=[pads[i][0] for i in over] + [pads[i][1] for i in over],
    )  # fmt: skip
    flat = writer.node("Neg", flat) if name.endswith("min") else flat
    if name.endswith("sum"):
        options = {**options, "count_include_pad": 1}
        y = writer.node("AveragePool", flat, shape=[*lead, *space], **options)
        y = writer.node("Mul", y, writer.scalar(math.prod(size), y))
    else:
        y = writer.node("MaxPool", flat, shape=[*lead, *space], **options)
    y = writer.node("Neg", y) if name.endswith("min") else y
    y = writer.reshape(y, [*kept, *space])
    return writer.transpose(y, tuple(order.index(i) for i in range(rank)))
