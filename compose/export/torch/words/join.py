"""Joins of several inputs, and functions of two."""

from __future__ import annotations

import json

from compose import ops
from compose.export.source.registry import follows
from compose.export.source.text import number, options
from compose.export.source.words.join import together
from compose.export.torch.registry import writes
from compose.layers.join import (
    concat,
    contract,
    cosine_similarity,
    dot,
    expand_batch,
    pairwise_distance,
    stack_inputs,
)


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


@writes(expand_batch)
def for_each_example(w, layer, p, s, x):
    made, like = x
    return w.made(f"{{}}.expand({{}}.shape[0]{', -1' * (made.ndim - 1)})", made, like, shape=w.out(layer, x).shape)


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
