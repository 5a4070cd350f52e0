"""Reductions, cumulative sums, sorting and what finds a place."""

from __future__ import annotations

import numpy as np

from compose.export.errors import ExportError
from compose.export.onnx.primitives.elementwise import out
from compose.export.onnx.primitives.shape import padded
from compose.export.onnx.registry import primitive

REDUCED = {"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin", "reduce_prod": "ReduceProd"}


@primitive(*REDUCED)
def reduced(writer, equation, x):
    name, axes = equation.primitive.name, equation.params["axes"]
    if not axes:
        return x
    if np.dtype(x.dtype) == bool:
        raise ExportError("a reduction of numbers", f"{name} of truth values")
    return writer.node(REDUCED[name], x, np.array(axes, np.int64), keepdims=0, **out(equation))


@primitive("reduce_and", "reduce_or")
def all_or_any(writer, equation, x):
    axes = np.array(equation.params["axes"], np.int64)
    op = "ReduceMin" if equation.primitive.name == "reduce_and" else "ReduceMax"
    if np.dtype(x.dtype) != bool:
        raise ExportError("truth values", f"{equation.primitive.name} of {x.dtype}")
    y = writer.node(op, writer.cast(x, np.int32), axes, keepdims=0, shape=out(equation)["shape"])
    return writer.cast(y, bool)


@primitive("argmax", "argmin")
def place(writer, equation, x):
    op = "ArgMax" if equation.primitive.name == "argmax" else "ArgMin"
    (axis,) = equation.params["axes"]
    x = writer.cast(x, np.int32) if np.dtype(x.dtype) == bool else x
    y = writer.node(op, x, axis=axis, keepdims=0, shape=out(equation)["shape"], dtype=np.int64)
    return writer.cast(y, equation.params["index_dtype"])


@primitive("cumsum")
def cumsum(writer, equation, x):
    p = equation.params
    return writer.node("CumSum", x, np.int64(p["axis"]), reverse=int(p["reverse"]))


CUMULATIVE = {"cummax": ("Max", -np.inf), "cummin": ("Min", np.inf), "cumprod": ("Mul", 1)}


@primitive(*CUMULATIVE)
def cumulative(writer, equation, x):
    """In as many steps as the length has bits, each with the values of twice as many."""
    op, neutral = CUMULATIVE[equation.primitive.name]
    axis, reverse = equation.params["axis"], equation.params["reverse"]
    n = x.shape[axis]
    if np.dtype(x.dtype).kind not in "f" and neutral != 1:
        neutral = getattr(np.iinfo(x.dtype), "min" if neutral < 0 else "max")
    step = 1
    while step < n:
        before, after = [0] * len(x.shape), [0] * len(x.shape)
        (after if reverse else before)[axis] = step
        (before if reverse else after)[axis] = -step
        x = writer.node(op, x, padded(writer, x, before, after, np.asarray(neutral, x.dtype)))
        step *= 2
    return x


@primitive("top_k")
def top_k(writer, equation, x):
    k = equation.params["k"]
    axis = equation.params.get("axis", -1) % len(x.shape)
    values, places = (v.aval for v in equation.outvars)
    made = writer.nodes(
        "TopK", [x, np.array([k], np.int64)], [(values.shape, x.dtype), (places.shape, np.int64)], axis=axis
    )
    return [made[0], writer.cast(made[1], places.dtype)]


@primitive("sort")
def sort(writer, equation, key, *others):
    """By the first operand; equal keys keep their order, as `TopK` does."""
    axis, n = equation.params["dimension"], key.shape[equation.params["dimension"]]
    if equation.params["num_keys"] != 1 or not isinstance(n, int):
        raise ExportError("a sort by one key along an axis of fixed length", f"{equation.params['num_keys']} keys")
    shape = key.shape
    sorted_, at = writer.nodes(
        "TopK", [key, np.array([n], np.int64)], [(shape, key.dtype), (shape, np.int64)], axis=axis, largest=0
    )
    return [sorted_, *(writer.node("GatherElements", other, at, axis=axis, like=other) for other in others)]
