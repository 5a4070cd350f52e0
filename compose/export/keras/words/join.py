"""Joins of several inputs, and functions of two."""

from __future__ import annotations

import json

from compose import ops
from compose.export.keras.registry import writes
from compose.export.source.text import number, options
from compose.export.source.words.join import together
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
def joined(w, layer, p, s, x):
    xs, axis = together(w, layer, x), options(layer).get("axis", -1 if layer.fn is concat.fn else 0)
    out = w.out(layer, x)
    text = f"ops.concatenate([{', '.join(['{}'] * len(xs))}], axis={axis})"
    return w.made(text, *xs, shape=out.shape, dtype=out.dtype)


@writes(stack_inputs, ops.stack)
def stacked(w, layer, p, s, x):
    xs, axis = together(w, layer, x), options(layer).get("axis", 1 if layer.fn is stack_inputs.fn else 0)
    return w.made(f"ops.stack([{', '.join(['{}'] * len(xs))}], axis={axis})", *xs, shape=w.out(layer, x).shape)


@writes(expand_batch)
def for_each_example(w, layer, p, s, x):
    """Its one row taken for each: a symbolic value has no number for the batch, but an array of zeros."""
    made, like = x
    first = f"{{}}[:{', 0' * (like.ndim - 1)}]"
    text = f'ops.take({{}}, ops.cast(ops.zeros_like({first}), "int32"), axis=0)'
    return w.made(text, made, like, shape=w.out(layer, x).shape)


@writes(contract, ops.einsum)
def contraction(w, layer, p, s, x):
    xs = together(w, layer, x)
    equation = options(layer).get("equation") or options(layer).get("subscripts")
    text = f"ops.einsum({json.dumps(equation)}, {', '.join(['{}'] * len(xs))})"
    return w.made(text, *xs, shape=w.out(layer, x).shape)


def unit(w, x, axis, epsilon):
    """Divided by the norm along an axis, or by epsilon where that is larger."""
    x = w.named(x)
    total = f"ops.sum(ops.square({{}}), axis={axis}, keepdims=True)"
    return w.call(x, f"{{}} / ops.sqrt(ops.maximum({total}, {epsilon**2!r}))")


@writes(dot)
def along(w, layer, p, s, x):
    a, b = x
    given = options(layer)
    axes = given.get("axes", -1)
    i, j = (axes, axes) if isinstance(axes, int) else axes
    more = ", normalize=True" if given.get("normalize") else ""
    text = f"layers.Dot({(i % a.ndim, j % b.ndim)}{more})([{{}}, {{}}])"
    return w.made(text, a, b, shape=w.out(layer, x).shape)


@writes(cosine_similarity)
def cosine(w, layer, p, s, x):
    given = options(layer)
    axis, epsilon = given.get("axis", -1), given.get("epsilon", 1e-8)
    a, b = (unit(w, v, axis, epsilon) for v in x)
    return w.made(f"ops.sum({{}} * {{}}, axis={axis})", a, b, shape=w.out(layer, x).shape)


@writes(pairwise_distance)
def distance(w, layer, p, s, x):
    given = options(layer)
    order, epsilon = given.get("order", 2.0), given.get("epsilon", 1e-6)
    keep = ", keepdims=True" if given.get("keepdims") else ""
    apart = w.call(w.made("{} - {}", *x), f"ops.abs({{}} + {epsilon!r})")
    if order == float("inf"):
        return w.call(apart, f"ops.max({{}}, axis=-1{keep})", shape=w.out(layer, x).shape)
    text = f"ops.sum({{}} ** {number(order)}, axis=-1{keep}) ** {number(1 / order)}"
    return w.call(apart, text, shape=w.out(layer, x).shape)
