"""Reductions, sorting and other functions along axes."""

from __future__ import annotations

from typing import Any

from compose import ops
from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.source.text import number, options
from compose.export.source.words.shape import like
from compose.layers.reduce import norm, std

NAMES = ("sum", "mean", "max", "min", "prod", "all", "any", "logsumexp")
KNOWN = ("axis", "keepdims")


def along(layer: Any, known: Any = KNOWN, axis: Any = None) -> str:
    """The axes and `keepdims`, with the comma before them."""
    given = options(layer)
    if set(given) - {*known}:
        raise ExportError(f"options among {', '.join(known)}", ", ".join(set(given) - {*known}))
    axis = given.get("axis", axis)
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    text = "" if axis is None else f", axis={axis}"
    return text + (", keepdims=True" if given.get("keepdims") else "")


@writes(*(op for name in NAMES if (op := getattr(ops, name, None)) is not None))
def reduced(w, layer, p, s, x):
    out = w.out(layer, x)
    return w.call(x, f"ops.{layer.kind}({{}}{along(layer)})", shape=out.shape, dtype=out.dtype)


@writes(ops.var, ops.std, std)
def spread(w, layer, p, s, x):
    out, given = w.out(layer, x), options(layer)
    text = f"ops.var({{}}{along(layer, (*KNOWN, 'ddof'))})"
    if given.get("ddof"):
        axis = given.get("axis")
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        if any(a % x.ndim == 0 for a in axes):
            raise ExportError("a variance that is not over the batch, whose size is open", f"{layer}")
        count = 1
        for a in axes:
            count *= x.shape[a]
        text = f"{text} * {count} / {count - given['ddof']}"
    y = w.call(x, text, shape=out.shape)
    return y if layer.kind == "var" else w.call(y, "ops.sqrt({})")


@writes(norm)
def vector_norm(w, layer, p, s, x):
    out, order = w.out(layer, x), options(layer).get("order", 2.0)
    axes = along(layer, (*KNOWN, "order"), -1)
    if order in (float("inf"), -float("inf")):
        text = f"ops.{'max' if order > 0 else 'min'}(ops.abs({{}}){axes})"
    elif order == 0:
        text = f'ops.sum(ops.cast(ops.not_equal({{}}, 0), "{out.dtype.name}"){axes})'
    elif order == 2:
        text = f"ops.sqrt(ops.sum(ops.square({{}}){axes}))"
    elif order == 1:
        text = f"ops.sum(ops.abs({{}}){axes})"
    else:
        text = f"ops.sum(ops.abs({{}}) ** {number(order)}{axes}) ** {number(1 / order)}"
    return w.call(x, text, shape=out.shape)


@writes(ops.argmax, ops.argmin, ops.cumsum, ops.cumprod)
def along_one(w, layer, p, s, x):
    out = w.out(layer, x)
    return w.call(x, f"ops.{layer.kind}({{}}{along(layer)})", shape=out.shape, dtype=out.dtype)


@writes(ops.sort, ops.argsort)
def sorted_(w, layer, p, s, x):
    given, out = options(layer), w.out(layer, x)
    if set(given) - {"axis", "descending", "stable"}:
        raise ExportError("an axis and a direction", f"{layer}")
    axis = given.get("axis", -1)
    if not given.get("descending"):
        return w.call(x, f"ops.{layer.kind}({{}}, axis={axis})", shape=out.shape, dtype=out.dtype)
    if layer.kind == "sort":
        return w.call(x, f"ops.flip(ops.sort({{}}, axis={axis}), axis={axis})")
    if not x.floats:
        raise ExportError("a descending order of floating-point numbers", f"{x.dtype}")
    return w.call(x, f"ops.argsort(-{{}}, axis={axis})", dtype=out.dtype)


@writes(ops.top_k)
def largest(w, layer, p, s, x):
    if set(options(layer)) - {"k"}:
        raise ExportError("a number k", f"{layer}")
    return w.results(w.call(x, f"ops.top_k({{}}, {options(layer)['k']})").text, like(x, w.out(layer, x)))


@writes(ops.take_along_axis)
def gathered(w, layer, p, s, x):
    given = options(layer)
    if set(given) - {"axis"} or not isinstance(given.get("axis", -1), int):
        raise ExportError("an axis", f"{layer}")
    text = f"ops.take_along_axis({{}}, {{}}, axis={given.get('axis', -1)})"
    return w.made(text, *x, shape=w.out(layer, x).shape)


@writes(ops.stop_gradient)
def detached(w, layer, p, s, x):
    return w.call(x, "ops.stop_gradient({})")


@writes(ops.round)
def rounded(w, layer, p, s, x):
    digits = options(layer).get("decimals", 0)
    return w.call(x, f"ops.round({{}}{f', {digits}' if digits else ''})")


@writes(ops.expand_dims, ops.squeeze, ops.flip, ops.roll, ops.tile)
def rearranged(w, layer, p, s, x):
    given, out = options(layer), w.out(layer, x)
    axis = given.get("axis")
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    if layer.kind == "tile":
        reps = given["reps"]
        reps = (reps,) if isinstance(reps, int) else tuple(reps)
        reps = (1,) * (x.ndim - len(reps)) + reps
        return w.call(x, f"ops.tile({{}}, {reps})", shape=out.shape)
    if layer.kind == "roll":
        shift = given["shift"]
        text = f"{tuple(shift) if isinstance(shift, (list, tuple)) else shift}"
        return w.call(x, f"ops.roll({{}}, {text}{'' if axis is None else f', axis={axes}'})")
    if layer.kind == "expand_dims" and isinstance(axes, tuple):
        axes = tuple(sorted(a % len(out.shape) for a in axes))
    return w.call(x, f"ops.{layer.kind}({{}}{'' if axis is None else f', axis={axes}'})", shape=out.shape)


@writes(ops.astype)
def converted(w, layer, p, s, x):
    out = w.out(layer, x)
    return w.call(x, f'ops.cast({{}}, "{out.dtype.name}")', dtype=out.dtype)
