"""Reductions, sorting and other functions along axes."""

from __future__ import annotations

from typing import Any

from compose import ops
from compose.export.errors import ExportError
from compose.export.source.registry import follows
from compose.export.source.text import number, options
from compose.export.torch.registry import writes
from compose.layers.reduce import norm, std

NAMES = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin", "prod": "prod", "all": "all", "any": "any"}
KNOWN = {"axis", "keepdims", "ddof"}


def along(w, x, layer, *, known=KNOWN, axis: Any = None) -> tuple[Any, str, str]:
    """The input, the axes as torch takes them, and `keepdim`; reduced without it the layout is the network's."""
    given = options(layer)
    if set(given) - known:
        raise ExportError(f"options among {', '.join(sorted(known))}", ", ".join(set(given) - known))
    axis = given.get("axis", axis)
    x = x if given.get("keepdims") or not x.first else w.last(x)
    if axis is None:
        return x, "", ""
    axes = [axis] if isinstance(axis, int) else list(axis)
    places = [x.axis(a) if x.first else a for a in axes]
    return (
        x,
        str(places[0] if isinstance(axis, int) else tuple(places)),
        ", keepdim=True" if given.get("keepdims") else "",
    )


def in_floats(w, x) -> Any:
    """The input, in floats where it is integers."""
    return x if x.floats else w.call(x, "{}.to(torch.get_default_dtype())", dtype="float32")


@writes(*(getattr(ops, name) for name in NAMES if hasattr(ops, name)))
@follows
def reduced(w, layer, p, s, x):
    out = w.out(layer, x)
    x, axes, keep = along(w, x, layer)
    name = NAMES[layer.kind]
    if name == "prod" and axes.startswith("("):
        raise ExportError("a product over one axis, as torch's", f"{layer}")
    x = in_floats(w, x) if name == "mean" else x
    if not axes and options(layer).get("keepdims"):
        axes, keep = str(tuple(range(x.ndim))), ", keepdim=True"
    return w.call(x, f"{{}}.{name}({axes}{keep})", shape=out.shape, dtype=out.dtype)


@writes(ops.var, ops.std, std)
@follows
def spread(w, layer, p, s, x):
    out, ddof = w.out(layer, x), options(layer).get("ddof", 0)
    x, axes, keep = along(w, x, layer)
    x, dim = in_floats(w, x), f"dim={axes}, " if axes else ""
    name = "var" if layer.kind == "var" else "std"
    return w.call(x, f"{{}}.{name}({dim}correction={ddof}{keep})", shape=out.shape, dtype=out.dtype)


@writes(norm)
@follows
def vector_norm(w, layer, p, s, x):
    out, order = w.out(layer, x), options(layer).get("order", 2.0)
    x, axes, keep = along(w, x, layer, known={*KNOWN, "order"}, axis=-1)
    order_text = "" if order == 2 else f"{number(order)}, "
    return w.call(x, f"torch.linalg.vector_norm({{}}, {order_text}dim={axes}{keep})", shape=out.shape)


@writes(ops.logsumexp)
@follows
def log_of_sum(w, layer, p, s, x):
    out = w.out(layer, x)
    x, axes, keep = along(w, x, layer)
    axes = axes or str(tuple(range(x.ndim)))
    return w.call(x, f"torch.logsumexp({{}}, {axes}{keep})", shape=out.shape)


@writes(ops.argmax, ops.argmin, ops.cumsum, ops.cumprod)
def along_one(w, layer, p, s, x):
    out = w.out(layer, x)
    if set(options(layer)) - {"axis", "keepdims"}:
        raise ExportError("an axis", f"{layer}")
    axis = options(layer).get("axis")
    if axis is None and layer.kind.startswith("cum"):
        x, axis = w.call(x, "{}.flatten()"), 0
    keep = ", keepdim=True" if options(layer).get("keepdims") else ""
    return w.call(x, f"{{}}.{layer.kind}({'' if axis is None else axis}{keep})", shape=out.shape, dtype=out.dtype)


@writes(ops.sort, ops.argsort)
def sorted_(w, layer, p, s, x):
    given, out = options(layer), w.out(layer, x)
    if set(given) - {"axis", "descending", "stable"}:
        raise ExportError("an axis and a direction", f"{layer}")
    text = f"dim={given.get('axis', -1)}{', descending=True' if given.get('descending') else ''}, stable=True"
    index = 0 if layer.kind == "sort" else 1
    return w.call(x, f"torch.sort({{}}, {text})[{index}]", shape=out.shape, dtype=out.dtype)


@writes(ops.top_k)
def largest(w, layer, p, s, x):
    """Sorted, since `torch.topk` takes any of equal numbers."""
    out = w.out(layer, x)
    if set(options(layer)) - {"k"}:
        raise ExportError("a number k", f"{layer}")
    like = tuple(x.but(base="", steps=(), shape=o.shape, dtype=o.dtype) for o in out)
    text = f"tuple(y[..., :{options(layer)['k']}] for y in torch.sort({{}}, descending=True, stable=True))"
    return w.results(w.call(x, text).text, like)


@writes(ops.take_along_axis)
def gathered(w, layer, p, s, x):
    given = options(layer)
    if set(given) - {"axis"} or not isinstance(given.get("axis", -1), int):
        raise ExportError("an axis", f"{layer}")
    return w.made(f"torch.take_along_dim({{}}, {{}}.long(), {given.get('axis', -1)})", *x, shape=w.out(layer, x).shape)


@writes(ops.stop_gradient)
@follows
def detached(w, layer, p, s, x):
    return w.call(x, "{}.detach()")


@writes(ops.round)
@follows
def rounded(w, layer, p, s, x):
    digits = options(layer).get("decimals", 0)
    return w.call(x, f"torch.round({{}}{f', decimals={digits}' if digits else ''})")


@writes(ops.expand_dims, ops.squeeze, ops.flip, ops.roll, ops.tile)
def rearranged(w, layer, p, s, x):
    given, out = options(layer), w.out(layer, x)
    axis = given.get("axis")
    axes = (axis,) if isinstance(axis, int) else axis
    if layer.kind == "expand_dims":
        for a in sorted(a % len(out.shape) for a in axes or ()):
            x = w.call(x, f"{{}}.unsqueeze({a})", shape=out.shape)
        return x
    if layer.kind == "squeeze":
        return w.call(x, f"{{}}.squeeze({'' if axes is None else axes if len(axes) > 1 else axes[0]})", shape=out.shape)
    if layer.kind == "flip":
        return w.call(x, f"{{}}.flip({tuple(range(x.ndim)) if axes is None else axes if len(axes) > 1 else axes[0]})")
    if layer.kind == "roll":
        return w.call(x, f"torch.roll({{}}, {given['shift']}{'' if axis is None else f', {axis}'})")
    reps = given["reps"]
    return w.call(x, f"{{}}.tile({(reps,) if isinstance(reps, int) else tuple(reps)})", shape=out.shape)


@writes(ops.astype)
@follows
def converted(w, layer, p, s, x):
    out = w.out(layer, x)
    name = {"bool": "bool"}.get(out.dtype.name, out.dtype.name)
    return w.call(x, f"{{}}.to(torch.{name})", dtype=out.dtype)
