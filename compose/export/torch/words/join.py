"""Joins of several inputs, and functions of two."""

from __future__ import annotations

import json

from compose import ops
from compose.combinators.branch import add, divide, multiply, subtract
from compose.export.errors import ExportError
from compose.export.torch.registry import follows, writes
from compose.export.torch.value import in_call
from compose.export.torch.words.elementwise import number, options
from compose.layers.join import (
    average,
    concat,
    contract,
    cosine_similarity,
    dot,
    matmul,
    maximum,
    minimum,
    pairwise_distance,
    stack_inputs,
)

SIGNS = {add: "+", multiply: "*", subtract: "-", divide: "/"}
BINARY = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}",
    "greater_equal": "{} >= {}", "mod": "{} % {}", "remainder": "{} % {}", "floor_divide": "{} // {}",
    "logical_and": "torch.logical_and({}, {})", "logical_or": "torch.logical_or({}, {})",
    "logical_xor": "torch.logical_xor({}, {})", "arctan2": "torch.atan2({}, {})", "hypot": "torch.hypot({}, {})",
    "logaddexp": "torch.logaddexp({}, {})", "maximum": "torch.maximum({}, {})", "minimum": "torch.minimum({}, {})",
    "bitwise_and": "{} & {}", "bitwise_or": "{} | {}", "bitwise_xor": "{} ^ {}", "fmod": "torch.fmod({}, {})",
    "copysign": "torch.copysign({}, {})", "matmul": "{} @ {}",
}  # fmt: skip


def together(w, layer, x):
    """The inputs as a tuple, of one layout."""
    return w.alike(x if isinstance(x, tuple) else (x,))


@writes(*SIGNS)
@follows
def arithmetic(w, layer, p, s, x):
    xs = together(w, layer, x)
    sign = next(sign for word, sign in SIGNS.items() if word.fn is layer.fn)
    out = w.out(layer, x)
    return w.made(f" {sign} ".join(["{}"] * len(xs)), *xs, shape=out.shape, dtype=out.dtype)


@writes(*(op for name in BINARY if (op := getattr(ops, name, None)) is not None))
@follows
def binary(w, layer, p, s, x):
    xs, text, given = together(w, layer, x), BINARY[layer.kind], list(options(layer).items())
    out = w.out(layer, x)
    if len(xs) == 2 and not given:
        return w.made(text, *xs, shape=out.shape, dtype=out.dtype)
    if len(xs) != 1 or len(given) != 1 or not isinstance(given[0][1], (int, float)):
        raise ExportError("an operation of two inputs or of one and a number", f"{layer}")
    name, value = given[0]
    second = name in ("x2", "y", "other")
    if in_call(text) and "torch." in text:
        constant = f"torch.tensor({number(value)})"
    else:
        constant = number(value)
    parts = ("{}", constant) if second else (constant, "{}")
    before, middle, after = text.split("{}")
    made = before + parts[0] + middle + parts[1] + after
    return w.made(made, xs[0], shape=out.shape, dtype=out.dtype)


@writes(ops.where)
@follows
def chosen(w, layer, p, s, x):
    if options(layer) or not isinstance(x, tuple) or len(x) != 3:
        raise ExportError("a choice between two inputs", f"{layer}")
    xs, out = together(w, layer, x), w.out(layer, x)
    return w.made("torch.where({}, {}, {})", *xs, shape=out.shape, dtype=out.dtype)


@writes(average)
@follows
def mean(w, layer, p, s, x):
    xs = together(w, layer, x)
    return w.made(f"({' + '.join(['{}'] * len(xs))}) / {len(xs)}", *xs, shape=w.out(layer, x).shape)


@writes(maximum, minimum)
@follows
def extreme(w, layer, p, s, x):
    xs, name = together(w, layer, x), layer.fn.__name__
    out = w.out(layer, x)
    y = xs[0]
    for other in xs[1:]:
        y = w.made(f"torch.{name}({{}}, {{}})", y, other)
    return y.but(shape=out.shape, dtype=out.dtype)


@writes(concat, ops.concatenate)
@follows
def joined(w, layer, p, s, x):
    xs, axis = together(w, layer, x), options(layer).get("axis", -1 if layer.fn is concat.fn else 0)
    out = w.out(layer, x)
    place = xs[0].axis(axis) if xs[0].first else axis
    return w.made(f"torch.cat([{', '.join(['{}'] * len(xs))}], {place})", *xs, shape=out.shape, dtype=out.dtype)


@writes(stack_inputs, ops.stack)
def stacked(w, layer, p, s, x):
    xs, axis = together(w, layer, x), options(layer).get("axis", 1 if layer.fn is stack_inputs.fn else 0)
    return w.made(f"torch.stack([{', '.join(['{}'] * len(xs))}], {axis})", *xs, shape=w.out(layer, x).shape)


@writes(matmul)
def product(w, layer, p, s, x):
    return w.made("{} @ {}", *x, shape=w.out(layer, x).shape)


@writes(contract, ops.einsum)
def contraction(w, layer, p, s, x):
    xs = x if isinstance(x, tuple) else (x,)
    equation = options(layer).get("equation") or options(layer).get("subscripts")
    return w.made(
        f"torch.einsum({json.dumps(equation)}, {', '.join(['{}'] * len(xs))})", *xs, shape=w.out(layer, x).shape
    )


@writes(dot)
def along(w, layer, p, s, x):
    a, b = x
    given = options(layer)
    axes = given.get("axes", -1)
    i, j = (axes, axes) if isinstance(axes, int) else axes
    i, j = i % a.ndim, j % b.ndim
    if given.get("normalize"):
        a, b = (w.call(v, f"F.normalize({{}}, dim={k}, eps=1e-6)") for v, k in ((a, i), (b, j)))
    letters = "abcdefghijklmnopqrstuvw"
    left = "z" + letters[: a.ndim - 1]
    right = "z" + letters[a.ndim - 1 : a.ndim + b.ndim - 2]
    kept = left.replace(left[i], "") + right[1:].replace(right[j], "")
    out = w.out(layer, x)
    y = w.made(f'torch.einsum("{left},{right.replace(right[j], left[i])}->{kept}", {{}}, {{}})', a, b, shape=out.shape)
    return w.call(y, "{}[:, None]") if len(kept) == 1 else y


@writes(cosine_similarity)
def cosine(w, layer, p, s, x):
    given = options(layer)
    axis, epsilon = given.get("axis", -1), given.get("epsilon", 1e-8)
    a, b = (w.call(v, f"F.normalize({{}}, dim={axis}, eps={epsilon!r})") for v in x)
    return w.call(w.made("{} * {}", a, b), f"{{}}.sum({axis})", shape=w.out(layer, x).shape)


@writes(pairwise_distance)
def distance(w, layer, p, s, x):
    given = options(layer)
    order, epsilon = given.get("order", 2.0), given.get("epsilon", 1e-6)
    keep = ", keepdim=True" if given.get("keepdims") else ""
    text = f"F.pairwise_distance({{}}, {{}}, p={number(order)}, eps={epsilon!r}{keep})"
    return w.made(text, *x, shape=w.out(layer, x).shape)
