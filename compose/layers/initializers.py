"""How parameters start, by name; every one is a value with its options: `normal(stddev=0.02)`."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from compose.core.draws import draw
from compose.core.initializer import initializer

__all__ = [
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "torch_uniform",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zeros",
]


@initializer
def zeros(key, shape, dtype, fans):
    """All zero."""
    return np.zeros(shape, dtype)


@initializer
def ones(key, shape, dtype, fans):
    """All one."""
    return np.ones(shape, dtype)


@initializer
def constant(key, shape, dtype, fans, value: float = 0.0):
    """All `value`."""
    return np.full(shape, value, dtype)


@initializer
def normal(key, shape, dtype, fans, stddev: float = 0.01, mean: float = 0.0):
    """Normal around `mean`."""
    return mean + stddev * draw("normal", key, shape, dtype)


@initializer
def truncated_normal(key, shape, dtype, fans, stddev: float = 0.01, mean: float = 0.0):
    """Normal around `mean`, drawn again beyond two standard deviations."""
    return mean + stddev * draw("truncated_normal", key, shape, dtype)


@initializer
def uniform(key, shape, dtype, fans, low: float = -0.05, high: float = 0.05):
    """Uniform from `low` to `high`, Keras's defaults."""
    return low + (high - low) * draw("uniform", key, shape, dtype)


@initializer
def glorot_uniform(key, shape, dtype, fans):
    """Uniform of variance 2 / (fan in + fan out) (Glorot & Bengio, 2010); Keras's default for kernels."""
    return _uniform(key, shape, dtype, 2 / (fans[0] + fans[1]))


@initializer
def glorot_normal(key, shape, dtype, fans):
    """Truncated normal of variance 2 / (fan in + fan out)."""
    return _cut_normal(key, shape, dtype, 2 / (fans[0] + fans[1]))


@initializer
def he_uniform(key, shape, dtype, fans):
    """Uniform of variance 2 / fan in (He et al., 2015)."""
    return _uniform(key, shape, dtype, 2 / fans[0])


@initializer
def he_normal(key, shape, dtype, fans):
    """Truncated normal of variance 2 / fan in."""
    return _cut_normal(key, shape, dtype, 2 / fans[0])


@initializer
def lecun_uniform(key, shape, dtype, fans):
    """Uniform of variance 1 / fan in."""
    return _uniform(key, shape, dtype, 1 / fans[0])


@initializer
def lecun_normal(key, shape, dtype, fans):
    """Truncated normal of variance 1 / fan in; Flax's default for kernels."""
    return _cut_normal(key, shape, dtype, 1 / fans[0])


@initializer
def torch_uniform(key, shape, dtype, fans):
    """Uniform in ±1/√fan in; torch's default for the kernels and biases of Linear and Conv."""
    return _uniform(key, shape, dtype, 1 / (3 * max(fans[0], 1)))


@initializer
def orthogonal(key, shape, dtype, fans, gain: float = 1.0):
    """A random matrix with orthonormal columns (Saxe et al., 2013), the last axis against the rest."""
    return jax.nn.initializers.orthogonal(gain)(key, shape, dtype)


@initializer
def delta_orthogonal(key, shape, dtype, fans):
    """Orthogonal in the middle of a convolution kernel, zero around (Xiao et al., 2018)."""
    return jax.nn.initializers.delta_orthogonal()(key, shape, dtype)


@initializer
def variance_scaling(
    key, shape, dtype, fans, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal"
):
    """Variance `scale / fan`, the fan by `mode`: `fan_in`, `fan_out` or `fan_avg`; Keras's `VarianceScaling`.

    `distribution` is `truncated_normal`, `normal` or `uniform`.
    """
    fan = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": (fans[0] + fans[1]) / 2}[mode]
    if distribution == "normal":
        return math.sqrt(scale / max(fan, 1)) * draw("normal", key, shape, dtype)
    return {"uniform": _uniform, "truncated_normal": _cut_normal}[distribution](key, shape, dtype, scale / max(fan, 1))


def _uniform(key, shape, dtype, variance: float) -> Any:
    return math.sqrt(3 * variance) * (2 * draw("uniform", key, shape, dtype) - 1)


def _cut_normal(key, shape, dtype, variance: float) -> Any:
    stddev = math.sqrt(variance) / 0.87962566103423978  # the deviation of a normal cut at ±2
    return stddev * draw("truncated_normal", key, shape, dtype)
