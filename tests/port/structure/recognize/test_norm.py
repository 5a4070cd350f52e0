"""Normalisations written out, and what looks like one."""

from __future__ import annotations

import pytest

from compose import (  # fmt: skip
    add,
    add_constant,
    clip,
    divide,
    frozen,
    learned_bias,
    learned_scale,
    multiply,
    ops,
    subtract,
)
from tests.port.structure.recognize.proof import recognized
from tests.port.structure.recognize.test_activation import chain


def centred(b, x, axis):
    return b(subtract, x, b(ops.mean(axis=axis, keepdims=True), x))


def layer_norm(b, x, axis=-1, epsilon=1e-5, after=(), of_square=None, root=(ops.sqrt, ops.reciprocal)):
    """The centred values are computed twice, as source code often does."""
    spread = chain(b, centred(b, x, axis), ops.square, ops.mean(axis=of_square or axis, keepdims=True))
    y = b(multiply, centred(b, x, axis), chain(b, spread, add_constant(value=epsilon), *root))
    return chain(b, y, *after)


def layer_norm_by_a_quotient(b, x):
    d = centred(b, x, 2)
    spread = chain(b, d, ops.power(x2=2), ops.mean(axis=2, keepdims=True), add_constant(value=1e-3), ops.sqrt)
    return chain(b, b(divide, d, spread), learned_scale(), learned_bias())


def layer_norm_of_var(b, x, ddof=0):
    spread = chain(b, x, ops.var(axis=-1, keepdims=True, ddof=ddof) if ddof else ops.var(axis=-1, keepdims=True))
    return b(multiply, centred(b, x, -1), chain(b, spread, add_constant(value=1e-5), ops.rsqrt))


def layer_norm_by_moments(b, x):
    m = b(ops.mean(axis=-1, keepdims=True), x)
    spread = b(subtract, chain(b, x, ops.square, ops.mean(axis=-1, keepdims=True)), b(ops.square, m))
    root = chain(b, spread, add_constant(value=1e-5), ops.rsqrt)
    return b(subtract, b(multiply, x, root), b(multiply, m, root))


def rms(b, x, axis=-1, epsilon=1e-6, after=(), outside=False):
    spread = chain(b, x, ops.square, ops.mean(axis=axis, keepdims=True))
    root = [ops.rsqrt, add_constant(value=epsilon)] if outside else [add_constant(value=epsilon), ops.rsqrt]
    return chain(b, b(multiply, x, chain(b, spread, *root)), *after)


def unit(b, x, low=1e-12):
    return b(multiply, x, chain(b, x, ops.square, ops.sum(axis=-1, keepdims=True), clip(min=low), ops.rsqrt))


WRITTEN = {
    "layer_norm(scale=False, bias=False)": [layer_norm, layer_norm_of_var, layer_norm_by_moments],
    "layer_norm()": [lambda b, x: layer_norm(b, x, axis=2, after=(learned_scale(), learned_bias()))],
    "layer_norm(epsilon=0.001)": [layer_norm_by_a_quotient],
    "layer_norm(axes=2, scale=False, bias=False)": [lambda b, x: layer_norm(b, x, axis=(1, 2))],
    "rms_norm(scale=False)": [rms],
    "rms_norm()": [lambda b, x: rms(b, x, axis=2, after=(learned_scale(),))],
    "compose_seq(rms_norm(), learned_bias())": [lambda b, x: rms(b, x, after=(learned_scale(), learned_bias()))],
    "unit_norm": [unit],
}


@pytest.mark.parametrize("layer", WRITTEN)
def test_is_recognised(layer):
    for write in WRITTEN[layer]:
        assert recognized(write, (4, 5)) == layer


def test_an_instance_norm_is_recognised():
    assert recognized(lambda b, x: layer_norm(b, x, axis=(1, 2)), (4, 5, 3)) == "instance_norm(scale=False, bias=False)"


def test_a_scale_after_a_bias_is_not_the_norm_s():
    write = lambda b, x: layer_norm(b, x, after=(learned_bias(), learned_scale()))
    assert recognized(write, (4, 5)) == "compose_seq(layer_norm(scale=False), learned_scale())"


NEAR_MISSES = {
    "epsilon outside of the root": lambda b, x: rms(b, x, outside=True),
    "other axes": lambda b, x: layer_norm(b, x, axis=(0, 2)),
    "the batch's axis": lambda b, x: rms(b, x, axis=0),
    "the square's mean along another axis": lambda b, x: layer_norm(b, x, of_square=1),
    "an unbiased variance": lambda b, x: layer_norm_of_var(b, x, ddof=1),
    "a root of the root": lambda b, x: layer_norm(b, x, root=(ops.sqrt, ops.rsqrt)),
    "no epsilon": lambda b, x: b(multiply, x, chain(b, x, ops.square, ops.mean(axis=-1, keepdims=True), ops.rsqrt)),
    "a negative limit": lambda b, x: unit(b, x, low=-1.0),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_stays(name):
    assert "norm" not in recognized(NEAR_MISSES[name], (4, 5))


def test_a_root_that_is_read_elsewhere_stays():
    def read_twice(b, x):
        root = chain(b, x, ops.square, ops.mean(axis=-1, keepdims=True), add_constant(value=1e-6), ops.rsqrt)
        return b(add, b(multiply, x, root), root)

    assert "norm" not in recognized(read_twice, (4, 5))


def test_a_frozen_scale_stays():
    text = recognized(lambda b, x: rms(b, x, after=(frozen(learned_scale()),)), (4, 5))
    assert text == "compose_seq(rms_norm(scale=False), frozen(learned_scale()))"
