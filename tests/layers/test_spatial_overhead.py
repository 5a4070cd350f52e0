"""Each spatial family costs no more than what is written by hand: operations, bytes and equations, both ways."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from compose import (
    Layer,
    avg_pool,
    conv,
    conv_transpose,
    depthwise_conv,
    global_avg_pool,
    group_norm,
    instance_norm,
    layer_norm,
    max_pool,
    pad,
    pixel_shuffle,
    resize,
    rms_norm,
    spectral_norm,
    unit_norm,
    upsample,
)
from compose.core.layer import as_layer
from compose.layers.resize import weights
from tests.test_zero_overhead import equations, expect_no_more, operations

NHWC = ("NHWC", "HWIO", "NHWC")


def grouped(p, s, x):
    return lax.conv_general_dilated(x, p["kernel"], (2, 2), "SAME", None, (2, 2), NHWC, 2) + p["bias"]


def pointwise(p, s, x):
    return x @ p["kernel"].reshape(16, 6) + p["bias"]


def transposed(p, s, x):
    return lax.conv_transpose(x, p["kernel"], (2, 2), "SAME", dimension_numbers=NHWC) + p["bias"]


def group_normed(p, s, x):
    apart = x.reshape(2, 6, 6, 4, 4)
    centred = apart - apart.mean((1, 2, 4), keepdims=True)
    var = jnp.square(centred).mean((1, 2, 4), keepdims=True)
    scale, bias = p["scale"].reshape(4, 4), p["bias"].reshape(4, 4)
    return (centred * (lax.rsqrt(var + 1e-5) * scale) + bias).reshape(x.shape)


def normed(axes):
    def by_hand(p, s, x):
        centred = x - x.mean(axes, keepdims=True)
        var = jnp.square(centred).mean(axes, keepdims=True)
        return centred * (lax.rsqrt(var + 1e-5) * p["scale"]) + p["bias"]

    return by_hand


def rms_normed(p, s, x):
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6) * p["scale"]


def averaged(p, s, x):
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def shuffled(p, s, x):
    return x.reshape(2, 6, 6, 4, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(2, 12, 12, 4)


def resized(p, s, x):
    for axis in (1, 2):
        matrix = weights(6, 9, 6 / 9, "linear", False, "half_pixel").astype(x.dtype)
        x = jnp.moveaxis(lax.dot_general(x, matrix, (((axis,), (1,)), ((), ()))), -1, axis)
    return x


def spectral(p, s, x):
    return grouped({**p, "kernel": p["kernel"] / s["spectral_norm"]["kernel"]["sigma"].reshape(1, 1, 1, 1)}, s, x)


BY_HAND: list[tuple[Layer, Callable]] = [
    (conv(16, 3, stride=2, groups=2, dilation=2), grouped),
    (conv(6, 1), pointwise),
    (conv_transpose(6, 3, stride=2), transposed),
    (avg_pool(2), averaged),
    (as_layer(global_avg_pool), lambda p, s, x: x.mean((1, 2))),
    (group_norm(4), group_normed),
    (instance_norm(), normed((1, 2))),
    (layer_norm(), normed(-1)),
    (rms_norm(), rms_normed),
    (as_layer(unit_norm), lambda p, s, x: x * lax.rsqrt(jnp.maximum(jnp.square(x).sum(-1, keepdims=True), 1e-12))),
    (pad(1), lambda p, s, x: lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), (1, 1, 0), (1, 1, 0), (0, 0, 0)])),
    (pad(1, "reflect"), lambda p, s, x: jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")),
    (pixel_shuffle(2), shuffled),
    (resize(9), resized),
    (upsample(2), lambda p, s, x: jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)),
    (spectral_norm(conv(16, 3, stride=2, groups=2, dilation=2)), spectral),
]


def programs(layer: Layer, by_hand: Callable, gradient: bool):
    x = jnp.ones((2, 6, 6, 16))  # groups of 8 channels: smaller ones are joined on CPUs, which costs FLOPs
    params, state = layer.init(0, x)
    ours = lambda p, s, x: layer.apply(p, s, x)[0]

    def wrap(fn):
        return jax.grad(lambda p, s, x: jnp.square(fn(p, s, x)).sum(), argnums=(0, 2)) if gradient else fn

    return wrap(ours), wrap(by_hand), (params, state, x)


@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "gradient"])
@pytest.mark.parametrize("layer, by_hand", BY_HAND, ids=lambda v: str(v) if isinstance(v, Layer) else "")
def test_as_by_hand(layer, by_hand, gradient):
    ours, hand, args = programs(layer, by_hand, gradient)
    if by_hand in (grouped, spectral, transposed):  # on CPUs, more bytes in less time: benchmarks/spatial.py
        # XLA counts no product with padding, which is most of these small images; a product of matrices has them all.
        expect_no_more(ours, hand, args, bytes_=3.6 if gradient else 2.5, flops=2.2 if gradient else 1.06)
        assert operations(ours, args, "tpu")["convolution"] == operations(hand, args, "tpu")["convolution"]
        return
    expect_no_more(ours, hand, args)
    counted, expected = (equations(jax.make_jaxpr(fn)(*args).jaxpr) for fn in (ours, hand))
    assert counted <= expected


@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "gradient"])
def test_what_has_a_form_for_a_cpu_compiles_to_that_form_alone(gradient):
    def pooled(p, s, x):
        best = x[:, 0:5:2, 0:5:2]
        for i, j in ((0, 1), (1, 0), (1, 1)):
            seen = x[:, i : i + 5 : 2, j : j + 5 : 2]
            best = jnp.where((seen > best) | (seen != seen), seen, best)
        return best

    def depthwise(p, s, x):
        around, total = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))), 0
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            total = total + around[:, i : i + 6, j : j + 6] * p["kernel"].reshape(4, 16)[2 * i + j]
        return total + p["bias"]

    expect_no_more(*programs(max_pool(2), pooled, gradient))
    # The gradient of the kernel is a loop over rows that stay in the cache: more operations in 1/6 to 1/18 of the time.
    more = {"bytes_": 2.6, "flops": 1.2} if gradient else {}
    expect_no_more(*programs(depthwise_conv(2), depthwise, gradient), **more)
