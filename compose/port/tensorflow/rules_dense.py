"""Products with matrices, biases, and rows of a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules
from compose.port.tensorflow.values import Value, Weight


@rules("tf.MatMul", "tf.BatchMatMul", "tf.BatchMatMulV2", "tf.BatchMatMulV3")
def _matmul(low, op, a, b):
    plain = op.type == "MatMul"
    turned = [op.get_attr(name) for name in (("transpose_a", "transpose_b") if plain else ("adj_x", "adj_y"))]
    if isinstance(b, np.ndarray):
        b = Weight.constant(b)
    if isinstance(a, Value) and isinstance(b, Weight):
        if len(b.shape) != 2 or turned[0]:
            raise PortError(f"a value times a matrix, got a variable of shape {b.shape}")
        kernel = b.moved((1, 0), "OI→IO") if turned[1] else b
        return low.along(word("fc")(kernel.shape[1], bias=False), a, weights={"kernel": kernel})
    pair = []
    for value, turn in zip((a, b), turned):
        value = low.whole(value)
        pair.append(_turned(low, value) if turn else value)
    return low.emit(word("matmul"), *pair)


def _turned(low: Any, x: Value) -> Value:
    """The last two axes exchanged."""
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return low.emit(word("permute")(*order), x, shape=(x.shape[i] for i in order))


@rule("tf.BiasAdd")
def _bias_add(low, op, x, bias):
    if op.get_attr("data_format") != b"NHWC":
        raise PortError(f"channels last, got data_format={op.get_attr('data_format').decode()}")
    return add_weight(low, x, Weight.constant(bias) if isinstance(bias, np.ndarray) else bias)


def add_weight(low: Any, x: Value, bias: Weight) -> Value:
    """The bias of the layer before, if that is still without one, else a layer of its own."""
    made, channels = low.alone(x), x.ours[-1]
    flat = (bias.shape[-1:] or (1,)) == (channels,) and all(n == 1 for n in bias.shape[:-1])
    if made is not None and flat and _wants(made.layer, bias):
        grown = _inner(made.layer).but(bias=True)
        held = bias if len(bias.shape) == 1 else bias.reshaped((channels,))
        layer = grown if bias.trained else word("frozen")(grown)
        low.changed(made, replace(made, layer=layer, weights={**made.weights, "bias": held.take}))
        return x.but(shape=low.shape, ours=x.ours if x.ours != x.shape else low.shape)
    layer = word("learned_bias") if bias.shape == (channels,) else word("learned_bias")(shape=bias.shape)
    return low.emit(layer, low.whole(x), weights={"bias": bias})


def _wants(layer: Any, bias: Weight) -> bool:
    """Whether a layer is a product without its bias, trained as this one is."""
    product = _inner(layer)
    kinds = ("fc", "conv", "depthwise_conv", "conv_transpose")
    return product.kind in kinds and not product.bias and bias.trained == (layer is product)


def _inner(layer: Any) -> Any:
    return layer.inner if isinstance(layer, word("frozen")) else layer


@rules("tf.GatherV2", "tf.Gather")
def _gather(low, op, table, ids, axis=0):
    if isinstance(table, Weight) and isinstance(ids, Value) and int(axis) == 0 and len(table.shape) == 2:
        return low.emit(word("embedding")(*table.shape), low.whole(ids), weights={"embedding": table})
    if isinstance(table, Value) and not isinstance(ids, (Value, Weight)) and ids.ndim == 0:
        from compose.port.tensorflow.rules_shape import indexed

        return indexed(low, low.whole(table), {int(axis) % table.ndim: int(ids)})
    raise PortError("rows of a variable with two axes by whole numbers that are data, or one place of a value")


@rule("tf.Einsum")
def _einsum(low, op, *inputs):
    equation = op.get_attr("equation").decode()
    if len(inputs) == 2 and isinstance(inputs[0], Value) and isinstance(inputs[1], Weight):
        left, _, rest = equation.partition(",")
        kernel, _, _ = rest.partition("->")
        new = tuple(n for letter, n in zip(kernel, inputs[1].shape) if letter not in left)
        x = low.whole(inputs[0])
        dense = rest.split("->")[1] == left[:-1] + kernel[-1:] and len(kernel) == 2 and kernel[0] == left[-1]
        layer = word("fc")(*new, bias=False) if dense else word("einsum")(equation, new)
        return low.emit(layer, x, weights={"kernel": inputs[1]})
    if len(inputs) == 2 and all(isinstance(x, Value) for x in inputs):
        return _product(low, equation, *map(low.whole, inputs))
    raise PortError(f"an einsum of a value with a variable after it, or of two values, got {equation}")


def _product(low: Any, equation: str, a: Value, b: Value) -> Value:
    """An einsum of two values as a matrix product, where it is one: one axis of each stays, and one is summed over."""
    terms, _, out = equation.partition("->")
    left, _, right = terms.partition(",")
    both = [c for c in out if c in left and c in right]
    summed = [c for c in left if c in right and c not in out]
    rows, columns = ([c for c in term if c not in both + summed] for term in (left, right))
    lengths = [len(set(term)) == len(term) for term in (left, right, out)]
    if not all(lengths) or len(summed) != 1 or len(rows) != 1 or len(columns) != 1 or len(out) != len(both) + 2:
        raise PortError(f"an einsum that is one matrix product, got {equation}; write it with matmul and transpose")
    x = permuted(low, a, left, "".join([*both, *rows, *summed]))
    y = permuted(low, b, right, "".join([*both, *summed, *columns]))
    made = low.emit(word("matmul"), x, y, shape=(*x.shape[:-1], y.shape[-1]))
    return permuted(low, made, "".join([*both, *rows, *columns]), out)


def permuted(low: Any, x: Value, before: str, after: str) -> Value:
    """The axes in the order of these letters."""
    order = tuple(before.index(c) for c in after)
    return x if before == after else low.emit(word("permute")(*order), x, shape=(x.shape[i] for i in order))
