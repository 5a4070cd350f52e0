"""Linear maps, products of matrices, einsum, biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value, Weight


@rules("tf.MatMul", "tf.BatchMatMul", "tf.BatchMatMulV2", "tf.BatchMatMulV3")
def _matmul(low, op, a, b):
    plain = op.type == "MatMul"
    turned = [op.get_attr(name) for name in (("transpose_a", "transpose_b") if plain else ("adj_x", "adj_y"))]
    if isinstance(a, np.ndarray) and a.shape[0] == low.exact.batch and not np.ptp(a, 0).any():
        given = low.env[f"{low.exact.inputs[0]}:0"]  # as a loop starts, the same for each example
        held = Weight.constant(a[0])
        a = low.emit(word("parameter")(*a.shape[1:]), low.whole(given), shape=a.shape, weights={"value": held})
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
    """Swap the last two axes."""
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return low.emit(word("permute")(*order), x, shape=(x.shape[i] for i in order))


@rule("tf.BiasAdd")
def _bias_add(low, op, x, bias):
    bias = Weight.constant(bias) if isinstance(bias, np.ndarray) else bias
    if op.get_attr("data_format") == b"NHWC" or x.ndim == 2:
        return low.with_bias(x, bias)
    x = low.permuted(x, (0, *range(2, x.ndim), 1))
    return low.permuted(low.with_bias(x, bias, x.shape), (0, x.ndim - 1, *range(1, x.ndim - 1)))


@rule("tf.Einsum")
def _einsum(low, op, *inputs):
    equation = op.get_attr("equation").decode()
    if len(inputs) == 2 and isinstance(inputs[0], Value) and isinstance(inputs[1], Weight):
        return _by_kernel(low, equation, *inputs)
    if len(inputs) == 2 and isinstance(inputs[0], Weight) and isinstance(inputs[1], Value):
        first, _, rest = equation.partition(",")
        second, _, out = rest.partition("->")
        return _by_kernel(low, f"{second},{first}->{out}", inputs[1], inputs[0])
    if not all(isinstance(x, Value) for x in inputs):
        raise PortError(f"an einsum of values, or of one with a variable, got {equation}")
    values = [low.whole(x) for x in inputs]
    product = _product(low, equation, *values) if len(values) == 2 else None
    return product or low.emit(word("contract")(equation=equation), *values)


def _by_kernel(low: Any, equation: str, x: Value, weight: Weight) -> Value:
    left, _, rest = equation.partition(",")
    kernel, _, out = rest.partition("->")
    new = tuple(n for letter, n in zip(kernel, weight.shape) if letter not in left)
    dense = out == left[:-1] + kernel[-1:] and len(kernel) == 2 and kernel[0] == left[-1]
    layer = word("fc")(*new, bias=False) if dense else word("einsum")(equation, new)
    return low.emit(layer, low.whole(x), weights={"kernel": weight})


def _product(low: Any, equation: str, a: Value, b: Value) -> Value | None:
    """An einsum of two values as a matrix product, if one axis of each is kept and one is summed over."""
    terms, _, out = equation.partition("->")
    left, _, right = terms.partition(",")
    both = [c for c in out if c in left and c in right]
    summed = [c for c in left if c in right and c not in out]
    rows, columns = ([c for c in term if c not in both + summed] for term in (left, right))
    lengths = [len(set(term)) == len(term) for term in (left, right, out)]
    if not all(lengths) or len(summed) != 1 or len(rows) != 1 or len(columns) != 1 or len(out) != len(both) + 2:
        return None
    x = permuted(low, a, left, "".join([*both, *rows, *summed]))
    y = permuted(low, b, right, "".join([*both, *summed, *columns]))
    made = low.emit(word("matmul"), x, y, shape=(*x.shape[:-1], y.shape[-1]))
    return permuted(low, made, "".join([*both, *rows, *columns]), out)


def permuted(low: Any, x: Value, before: str, after: str) -> Value:
    """The axes in the order of these letters."""
    order = tuple(before.index(c) for c in after)
    return x if before == after else low.emit(word("permute")(*order), x, shape=(x.shape[i] for i in order))
