"""Shapes, joins, slices and constants."""

from __future__ import annotations

import numpy as np

from compose.export.errors import ExportError
from compose.export.onnx.dims import is_symbolic
from compose.export.onnx.primitives.elementwise import out
from compose.export.onnx.registry import primitive


@primitive("reshape", "squeeze", "expand_dims")
def reshape(writer, equation, x):
    return writer.reshape(x, equation.outvars[0].aval.shape)


@primitive("transpose")
def transpose(writer, equation, x):
    return writer.transpose(x, tuple(equation.params["permutation"]))


@primitive("broadcast_in_dim")
def broadcast(writer, equation, x, *sizes):
    shape = equation.outvars[0].aval.shape
    axes = equation.params["broadcast_dimensions"]
    aligned = [1] * len(shape)
    for axis, n in zip(axes, x.shape):
        aligned[axis] = n
    return writer.expand(writer.reshape(x, aligned), shape)


@primitive("concatenate")
def concatenate(writer, equation, *xs):
    xs = tuple(x for x in xs if x.shape[equation.params["dimension"]] != 0) or xs[:1]
    if len(xs) == 1:
        return xs[0]
    return writer.node("Concat", *xs, axis=equation.params["dimension"], **out(equation))


@primitive("stack")
def stack(writer, equation, *xs):
    axis = equation.params["axis"] % len(equation.outvars[0].aval.shape)
    apart = [writer.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in xs]
    return writer.node("Concat", *apart, axis=axis, **out(equation))


@primitive("unstack")
def unstack(writer, equation, x):
    axis = equation.params["axis"] % len(x.shape)
    parts = [writer.slice(x, [i], [i + 1], axes=[axis]) for i in range(x.shape[axis])]
    return [writer.reshape(part, v.aval.shape) for part, v in zip(parts, equation.outvars)]


@primitive("split")
def split(writer, equation, x):
    sizes, axis = equation.params["sizes"], equation.params["axis"]
    if len(sizes) == 1:
        return [x]
    outputs = [(v.aval.shape, v.aval.dtype) for v in equation.outvars]
    return writer.nodes("Split", [x, np.array(sizes, np.int64)], outputs, axis=axis)


@primitive("slice")
def sliced(writer, equation, x):
    p = equation.params
    return writer.slice(x, p["start_indices"], p["limit_indices"], p["strides"])


@primitive("rev")
def rev(writer, equation, x):
    axes = equation.params["dimensions"]
    if not axes:
        return x
    n = len(axes)
    end, start = np.full(n, np.iinfo(np.int64).min, np.int64), np.full(n, -1, np.int64)
    return writer.node("Slice", x, start, end, np.array(axes, np.int64), np.full(n, -1, np.int64))


@primitive("pad")
def pad(writer, equation, x, value):
    config = equation.params["padding_config"]
    for axis, (_, _, between) in enumerate(config):
        if between:
            x = spread(writer, x, value, axis, between)
    before, after = [lo for lo, _, _ in config], [hi for _, hi, _ in config]
    return padded(writer, x, before, after, value)


def padded(writer, x, before, after, value):
    """Padding with a constant; widths below 0 crop."""
    starts = [max(-lo, 0) for lo in before]
    stops = [n - max(-hi, 0) if hi < 0 else n for n, hi in zip(x.shape, after)]
    x = writer.slice(x, starts, stops)
    grow = [[max(n, 0) for n in ends] for ends in (before, after)]
    if not any(map(any, grow)):
        return x
    shape = [n + lo + hi for n, lo, hi in zip(x.shape, *grow)]
    value = writer.reshape(value, ()) if not isinstance(value, np.ndarray) else np.asarray(value, x.dtype).reshape(())
    kept = None if isinstance(value, np.ndarray) and value == 0 else value
    return writer.node("Pad", x, np.array(grow, np.int64).reshape(-1), kept, like=x, shape=shape)


def spread(writer, x, value, axis: int, between: int):
    """`between` values after each but the last along an axis."""
    n = x.shape[axis]
    if is_symbolic(n):
        raise ExportError("padding of other axes than the batch", f"padding between the values of axis {axis}")
    apart = writer.reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
    after = [0] * len(apart.shape)
    after[axis + 1] = between
    wide = padded(writer, apart, [0] * len(after), after, value)
    joined = writer.reshape(wide, (*x.shape[:axis], n * (between + 1), *x.shape[axis + 1 :]))
    return writer.slice(joined, [0], [n * (between + 1) - between], axes=[axis])


@primitive("iota")
def iota(writer, equation, *sizes):
    p, shape = equation.params, equation.outvars[0].aval.shape
    axis = p["dimension"]
    n = shape[axis]
    if is_symbolic(n):
        stop = writer.reshape(writer.sizes((n,)), ())
        line = writer.node("Range", np.int64(0), stop, np.int64(1), shape=(n,), dtype=np.int64)
        line = writer.cast(line, p["dtype"])
    else:
        line = np.arange(n).astype(p["dtype"])
    aligned = [1] * len(shape)
    aligned[axis] = n
    return writer.expand(writer.reshape(line, aligned), shape)


@primitive("tile")
def tile(writer, equation, x):
    return writer.node("Tile", x, writer.sizes(equation.params["reps"]), **out(equation))
