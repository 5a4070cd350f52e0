"""Activations written out, and what looks like one."""

from __future__ import annotations

import math

import pytest

from compose import (  # fmt: skip
    absolute,
    add,
    add_constant,
    clip,
    divide,
    multiply,
    ops,
    relu6,
    scale,
    sigmoid,
    softmax,
    softplus,
    subtract,
    tanh,
)
from tests.port.structure.recognize.proof import recognized

ROOT = math.sqrt(2 / math.pi)


def chain(b, x, *layers):
    for layer in layers:
        x = b(layer, x)
    return x


def erf_gelu(b, x, root=0.5**0.5, half=0.5):
    curve = chain(b, x, scale(by=root), ops.erf, add_constant(value=1.0))
    return b(multiply, b(scale(by=half), x), curve)


def erf_gelu_by_a_distribution(b, x):
    return b(multiply, chain(b, x, scale(by=math.sqrt(0.5)), ops.erf, scale(by=0.5), add_constant(value=0.5)), x)


def tanh_gelu(b, x, share=0.044715, root=ROOT, exponent=3):
    inner = b(add, x, chain(b, x, ops.power(x2=exponent), scale(by=share)))
    return chain(b, b(multiply, x, chain(b, inner, scale(by=root), tanh, add_constant(value=1.0))), scale(by=0.5))


def tanh_gelu_of_products(b, x):
    cube = b(multiply, b(multiply, x, x), x)
    inner = b(add, b(scale(by=0.044715), cube), x)
    return b(multiply, b(scale(by=0.5), chain(b, inner, scale(by=ROOT), tanh, add_constant(value=1.0))), x)


def gate(curve):
    return lambda b, x: b(multiply, chain(b, x, *curve), x)


def over_sum(b, x, axis=-1, shift=None, keepdims=True):
    if shift is not None:
        most = chain(b, x, ops.max(axis=axis, keepdims=True), *shift)
        x = b(subtract, x, most)
    x = b(ops.exp, x)
    return b(divide, x, b(ops.sum(axis=axis, keepdims=keepdims), x))


def log_sum(b, x, axis, of):
    """The largest along the axis `of` is subtracted, and added again."""
    most = b(ops.max(axis=of, keepdims=True), x)
    return b(add, chain(b, b(subtract, x, most), ops.exp, ops.sum(axis=axis, keepdims=True), ops.log), most)


WRITTEN = {
    "gelu": [erf_gelu, erf_gelu_by_a_distribution],
    "gelu(approximate=True)": [tanh_gelu, tanh_gelu_of_products],
    "silu": [gate([sigmoid]), gate([scale(by=-1.0), ops.exp, add_constant(value=1.0), ops.reciprocal])],
    "mish": [gate([softplus, tanh])],
    "hard_sigmoid": [lambda b, x: chain(b, x, add_constant(value=3.0), relu6, scale(by=1 / 6))],
    "hard_swish": [
        gate([add_constant(value=3.0), clip(min=0, max=6), scale(by=1 / 6)]),
        lambda b, x: chain(b, gate([add_constant(value=3.0), relu6])(b, x), scale(by=1 / 6)),
    ],
    "softplus": [
        lambda b, x: chain(b, x, ops.exp, ops.log1p),
        lambda b, x: chain(b, x, ops.exp, add_constant(value=1), ops.log),
    ],
    "log_sigmoid": [lambda b, x: chain(b, x, sigmoid, ops.log)],
    "soft_sign": [lambda b, x: b(divide, x, chain(b, x, absolute, add_constant(value=1.0)))],
    "tanh_shrink": [lambda b, x: b(subtract, x, b(tanh, x))],
    "softmax": [
        over_sum,
        lambda b, x: over_sum(b, x, shift=[]),
        lambda b, x: over_sum(b, x, shift=[ops.stop_gradient]),
    ],
    "softmax(axis=1)": [lambda b, x: over_sum(b, x, axis=1)],
    "ops.logsumexp(axis=-1)": [lambda b, x: chain(b, x, ops.exp, ops.sum(axis=-1), ops.log)],
    "ops.logsumexp(axis=1, keepdims=True)": [
        lambda b, x: chain(b, x, ops.exp, ops.sum(axis=1, keepdims=True), ops.log), lambda b, x: log_sum(b, x, 1, 1),
    ],
    "log_softmax(axis=1)": [lambda b, x: chain(b, x, softmax(axis=1), ops.log)],
}  # fmt: skip


@pytest.mark.parametrize("layer", WRITTEN)
def test_is_recognised(layer):
    for write in WRITTEN[layer]:
        assert recognized(write, (3, 4)) == layer


NEAR_MISSES = {
    "another root": (lambda b, x: erf_gelu(b, x, root=0.7071), "gelu"),
    "another half": (lambda b, x: erf_gelu(b, x, half=0.51), "gelu"),
    "another share of the cube": (lambda b, x: tanh_gelu(b, x, share=0.0447), "gelu"),
    "a rounded constant": (lambda b, x: tanh_gelu(b, x, root=0.79788456), "gelu"),
    "a square for the cube": (lambda b, x: tanh_gelu(b, x, exponent=2), "gelu"),
    "quick gelu": (gate([scale(by=1.702), sigmoid]), "silu"),
    "another clip": (gate([add_constant(value=3.0), clip(min=0, max=5), scale(by=1 / 6)]), "hard"),
    "log of 2 + exp": (lambda b, x: chain(b, x, ops.exp, add_constant(value=2.0), ops.log), "softplus"),
    "exponentials of other numbers": (
        lambda b, x: b(divide, b(ops.exp, x), b(ops.sum(axis=1, keepdims=True), b(ops.exp, b(scale(by=2.0), x)))),
        "softmax",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_stays(name):
    write, word = NEAR_MISSES[name]
    assert word not in recognized(write, (3, 4))


def test_a_value_that_is_read_elsewhere_stays():
    def read_twice(b, x):
        curve = b(sigmoid, x)
        return b(add, b(multiply, x, curve), curve)

    assert "silu" not in recognized(read_twice, (3, 4))


def test_a_sum_without_its_axis_stays():
    assert "softmax" not in recognized(lambda b, x: over_sum(b, x, axis=0, keepdims=False), (3, 4))


def test_what_is_shifted_along_another_axis_keeps_its_shift():
    assert "max(" in recognized(lambda b, x: log_sum(b, x, (1, 2), 1), (3, 4))
