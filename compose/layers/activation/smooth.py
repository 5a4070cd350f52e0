"""Smooth activations.

Shapes: any, unchanged.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.registry import add_alias
from compose.layers.activation.basic import activation

__all__ = [
    "celu", "elu", "gelu", "log_sigmoid", "mish", "selu", "silu", "soft_sign", "softplus", "squareplus",
    "tanh_shrink",
]  # fmt: skip


@activation
def gelu(x, approximate: bool = False):
    """`x Φ(x)` by the error function, or its tanh form with `approximate=True` (Hendrycks & Gimpel, 2016).

    Elsewhere: the error function is the default of Keras `gelu`, torch `GELU` and TensorFlow; `jax.nn.gelu` and Flax
    `gelu` take the tanh form, so a bare `jax.nn.gelu` becomes `gelu(approximate=True)`.
    """
    return jax.nn.gelu(x, approximate=approximate)


add_alias(jax.nn.gelu, gelu(approximate=True))


@activation(also=(jax.nn.silu,))
def silu(x):
    """`x sigmoid(x)`, also called swish.

    Elsewhere: Keras `silu`, torch `SiLU`, Flax `silu`.
    """
    return jax.nn.silu(x)


@activation(also=(jax.nn.mish,))
def mish(x):
    """`x tanh(softplus(x))` (Misra, 2019).

    Elsewhere: Keras `mish`, torch `Mish`.
    """
    return jax.nn.mish(x)


@activation(also=(jax.nn.softplus,))
def softplus(x, beta: float = 1.0, threshold: float | None = None):
    """`log(1 + exp(beta x)) / beta`.

    Elsewhere: Keras `softplus`, Flax `softplus`; torch `Softplus` returns `x` where `beta x` is above 20
    (`threshold=20`), off by up to 2e-9.
    """
    y = jax.nn.softplus(x) if beta == 1 else jax.nn.softplus(beta * x) / beta
    return y if threshold is None else jnp.where(beta * x > threshold, x, y)


@activation(also=(jax.nn.soft_sign,))
def soft_sign(x):
    """`x / (1 + |x|)`.

    Elsewhere: Keras `softsign`, torch `Softsign`, Flax `soft_sign`.
    """
    return jax.nn.soft_sign(x)


@activation(also=(jax.nn.log_sigmoid,))
def log_sigmoid(x):
    """`-log(1 + exp(-x))`.

    Elsewhere: Keras `log_sigmoid`, torch `LogSigmoid`, Flax `log_sigmoid`.
    """
    return jax.nn.log_sigmoid(x)


@activation(also=(jax.nn.elu,))
def elu(x, alpha: float = 1.0):
    """`x` above 0, `alpha (exp(x) - 1)` below (Clevert et al., 2015); slope `alpha` at 0, as in torch.

    Elsewhere: Keras `ELU`, torch `ELU`, Flax `elu`.
    """
    return jax.nn.elu(x, alpha)


@activation(also=(jax.nn.selu,))
def selu(x):
    """`elu` with the two constants that keep zero mean and unit variance (Klambauer et al., 2017).

    Elsewhere: Keras `selu`, torch `SELU`, Flax `selu`.
    """
    return jax.nn.selu(x)


@activation(also=(jax.nn.celu,))
def celu(x, alpha: float = 1.0):
    """`x` above 0, `alpha (exp(x / alpha) - 1)` below (Barron, 2017).

    Elsewhere: Keras `celu`, torch `CELU`, Flax `celu`.
    """
    return jax.nn.celu(x, alpha)


@activation(also=(jax.nn.squareplus,))
def squareplus(x, b: float = 4.0):
    """`(x + sqrt(x² + b)) / 2`: a softplus without transcendental functions.

    Elsewhere: Keras `squareplus`.
    """
    return jax.nn.squareplus(x, b)


@activation
def tanh_shrink(x):
    """`x - tanh(x)`.

    Elsewhere: Keras `tanh_shrink`, torch `Tanhshrink`.
    """
    return x - jnp.tanh(x)
