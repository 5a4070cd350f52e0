"""Initialisers; each is a value with its options: `normal(stddev=0.02)`.

Shapes: any, the parameter's.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError
from compose.core.initializer import initializer
from compose.core.sampling import draw

__all__ = [
    "constant",
    "delta_orthogonal",
    "dirac",
    "eye",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "torch_uniform",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zeros",
]


@initializer
def zeros(key, shape, dtype, fans):
    """Zeros.

    Elsewhere: Keras `Zeros`, torch `zeros_`, Flax `zeros`.
    """
    return np.zeros(shape, dtype)


@initializer
def ones(key, shape, dtype, fans):
    """Ones.

    Elsewhere: Keras `Ones`, torch `ones_`, Flax `ones`.
    """
    return np.ones(shape, dtype)


@initializer
def constant(key, shape, dtype, fans, value: float = 0.0):
    """The constant `value`.

    Elsewhere: Keras `Constant`, torch `constant_`, Flax `constant`.
    """
    return np.full(shape, value, dtype)


@initializer
def normal(key, shape, dtype, fans, stddev: float = 0.01, mean: float = 0.0):
    """Normal distribution with mean `mean` and standard deviation `stddev`.

    Elsewhere: Keras `RandomNormal` has `stddev=0.05`, torch `normal_` 1, Flax `normal` 0.01.
    """
    return mean + stddev * draw("normal", key, shape, dtype)


@initializer
def truncated_normal(key, shape, dtype, fans, stddev: float = 0.01, mean: float = 0.0):
    """Normal distribution truncated at two standard deviations from `mean`.

    Elsewhere: Keras `TruncatedNormal` has `stddev=0.05`, Flax `truncated_normal` 0.01; torch `trunc_normal_` truncates
    at ±2 in absolute terms, so that its `std=0.02` is `normal(stddev=0.02)`.
    """
    return mean + stddev * draw("truncated_normal", key, shape, dtype)


@initializer
def uniform(key, shape, dtype, fans, low: float = -0.05, high: float = 0.05):
    """Uniform distribution from `low` to `high`, with Keras's defaults.

    Elsewhere: Keras `RandomUniform`, torch `uniform_`, Flax `uniform`.
    """
    return low + (high - low) * draw("uniform", key, shape, dtype)


@initializer
def glorot_uniform(key, shape, dtype, fans):
    """Uniform with variance 2 / (fan in + fan out) (Glorot & Bengio, 2010); Keras's default for kernels.

    Elsewhere: Keras `GlorotUniform`, torch `xavier_uniform_`, Flax `glorot_uniform`.
    """
    return _uniform(key, shape, dtype, 2 / (fans[0] + fans[1]))


@initializer
def glorot_normal(key, shape, dtype, fans):
    """Truncated normal with variance 2 / (fan in + fan out); torch `xavier_normal_` is not truncated:
    `variance_scaling(mode="fan_avg", distribution="normal")`.

    Elsewhere: Keras `GlorotNormal`, Flax `glorot_normal`.
    """
    return _truncated_normal(key, shape, dtype, 2 / (fans[0] + fans[1]))


@initializer
def he_uniform(key, shape, dtype, fans):
    """Uniform with variance 2 / fan in (He et al., 2015).

    Elsewhere: Keras `HeUniform`, torch `kaiming_uniform_`, Flax `he_uniform`.
    """
    return _uniform(key, shape, dtype, 2 / fans[0])


@initializer
def he_normal(key, shape, dtype, fans):
    """Truncated normal with variance 2 / fan in; torch `kaiming_normal_` is not truncated, and takes a slope `a`:
    `variance_scaling(scale=2 / (1 + a * a), distribution="normal")`, with the scale as a number.

    Elsewhere: Keras `HeNormal`, Flax `he_normal`.
    """
    return _truncated_normal(key, shape, dtype, 2 / fans[0])


@initializer
def lecun_uniform(key, shape, dtype, fans):
    """Uniform with variance 1 / fan in.

    Elsewhere: Keras `LecunUniform`, Flax `lecun_uniform`.
    """
    return _uniform(key, shape, dtype, 1 / fans[0])


@initializer
def lecun_normal(key, shape, dtype, fans):
    """Truncated normal with variance 1 / fan in; Flax's default for kernels.

    Elsewhere: Keras `LecunNormal`, Flax `lecun_normal`.
    """
    return _truncated_normal(key, shape, dtype, 1 / fans[0])


@initializer
def torch_uniform(key, shape, dtype, fans):
    """Uniform in ±1/√fan in; torch's default for the kernels and biases of Linear and Conv."""
    return _uniform(key, shape, dtype, 1 / (3 * max(fans[0], 1)))


@initializer
def orthogonal(key, shape, dtype, fans, gain: float = 1.0):
    """A random orthogonal matrix (Saxe et al., 2013), with the last axis as columns and the others flattened as rows.

    Elsewhere: Keras `Orthogonal`, torch `orthogonal_`, Flax `orthogonal`.
    """
    return jax.nn.initializers.orthogonal(gain)(key, shape, dtype)


@initializer
def delta_orthogonal(key, shape, dtype, fans):
    """Orthogonal at the centre of a convolution kernel, zero elsewhere (Xiao et al., 2018).

    Shapes: `(*space, n, m)`, n at most m. Elsewhere: Flax `delta_orthogonal`.
    """
    return jax.nn.initializers.delta_orthogonal()(key, shape, dtype)


@initializer
def eye(key, shape, dtype, fans, gain: float = 1.0):
    """The identity matrix times `gain`.

    Shapes: `(n, m)`. Elsewhere: Keras `Identity`, torch `eye_`.
    """
    if len(shape) != 2:
        raise ConfigError("a parameter with two axes for eye", str(shape))
    return gain * np.eye(*shape, dtype=dtype)


@initializer
def dirac(key, shape, dtype, fans, groups: int = 1):
    """A convolution kernel that is the identity on its channels.

    Shapes: `(*space, n, m)`. Elsewhere: torch `dirac_`.
    """
    if len(shape) < 3 or shape[-1] % groups:
        raise ConfigError("a convolution kernel with filters divisible by groups, for dirac", str(shape))
    kernel, filters = np.zeros(shape, dtype), shape[-1] // groups
    for i in range(min(filters, shape[-2])):
        kernel[(*(n // 2 for n in shape[:-2]), i, slice(i, None, filters))] = 1
    return kernel


@initializer
def sparse(key, shape, dtype, fans, sparsity: float = 0.9, stddev: float = 0.01):
    """Normal, with a fraction `sparsity` of each input's weights set to zero (Martens, 2010).

    Shapes: `(n, m)`. Elsewhere: torch `sparse_`.
    """
    if len(shape) != 2:
        raise ConfigError("a parameter with two axes for sparse", str(shape))
    order = jax.numpy.argsort(draw("uniform", jax.random.fold_in(key, 1), shape, np.float32), axis=1)
    zero = order < math.ceil(sparsity * shape[1])
    return jax.numpy.where(zero, 0, stddev * draw("normal", key, shape, dtype))


@initializer
def variance_scaling(
    key, shape, dtype, fans, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal"
):
    """Variance `scale / fan`, where `mode` selects the fan: `fan_in`, `fan_out` or `fan_avg`.

    `distribution` is `truncated_normal`, `normal` or `uniform`.

    Elsewhere: Keras `VarianceScaling`, Flax `variance_scaling`.
    """
    fan = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": (fans[0] + fans[1]) / 2}[mode]
    if distribution == "normal":
        return math.sqrt(scale / max(fan, 1)) * draw("normal", key, shape, dtype)
    return {"uniform": _uniform, "truncated_normal": _truncated_normal}[distribution](
        key, shape, dtype, scale / max(fan, 1)
    )


def _uniform(key, shape, dtype, variance: float) -> Any:
    return math.sqrt(3 * variance) * (2 * draw("uniform", key, shape, dtype) - 1)


def _truncated_normal(key, shape, dtype, variance: float) -> Any:
    stddev = math.sqrt(variance) / 0.87962566103423978  # the standard deviation of a unit normal truncated at ±2
    return stddev * draw("truncated_normal", key, shape, dtype)
