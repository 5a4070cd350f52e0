"""Functions of each element at infinities, NaN, zeros of both signs and large numbers, against the frameworks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import port

VALUES = np.array(
    [-np.inf, -200, -2.5, -1, -0.5, -0.0, 0.0, 0.3, 0.5, 1, 2.5, 100, 1e30, np.inf, np.nan], np.float32
)  # fmt: skip
ONE = (VALUES[None].repeat(3, 0),)
TWO = tuple(v.reshape(1, -1).repeat(3, 0) for v in np.meshgrid(VALUES, VALUES))
UNARY = (
    "abs", "ceil", "cos", "cosh", "erf", "exp", "expm1", "floor", "isfinite", "isinf", "isnan", "log", "log1p",
    "relu", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh",
)  # fmt: skip
BINARY = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal", "less", "less_equal",
    "greater", "greater_equal",
)  # fmt: skip
CURVES = (
    "relu", "relu6", "elu", "selu", "celu", "leaky_relu", "gelu", "silu", "softplus", "hard_tanh", "hard_sigmoid",
    "hard_silu", "log_sigmoid",
)  # fmt: skip
CHOICES: dict[str, Callable] = {
    "x / 0": lambda x, where: x / 0.0,
    "x * 0": lambda x, where: x * 0.0,
    "x - x": lambda x, where: x - x,
    "1 / x": lambda x, where: 1.0 / x,
    "where(x, 0)": lambda x, where: where(x > 0.4, x, 0.0),
    "where(1, x)": lambda x, where: where(x > 0.4, 1.0, x),
    "x <= 0": lambda x, where: where(x <= 0, 2.0, x),
}


def the_same(ported: Any, inputs: tuple, expected: Any) -> None:
    y, _ = ported.net.apply(ported.params, ported.state, *inputs)
    y, expected = np.asarray(y), np.asarray(expected)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(y, expected, rtol=2e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(y, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_torch():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    class Of(torch.nn.Module):
        def __init__(self, f):
            super().__init__()
            self.f = f

        def forward(self, *xs):
            return self.f(*xs)

    of_one = {name: getattr(torch, name) for name in UNARY if name not in ("sign",)}  # torch's of NaN is 0
    of_one |= {
        f.__name__: f
        for f in (F.relu6, F.elu, F.selu, F.celu, F.gelu, F.silu, F.softplus, F.hardtanh, F.hardsigmoid, F.hardswish,
                  F.hardshrink, F.softshrink, F.logsigmoid, F.leaky_relu, F.softsign, F.mish)
    }  # fmt: skip
    of_one |= {name: lambda x, f=f: f(x, torch.where) for name, f in CHOICES.items() if name != "x / 0"}
    of_one |= {
        "threshold": lambda x: F.threshold(x, 0.1, 20.0),
        "clamp": lambda x: x.clamp(-1, 2),
        "masked_fill": lambda x: x.masked_fill(x > 0.4, -1.0),
        "bool": lambda x: x.bool(),
        "cummax": lambda x: x.cummax(-1).values,
        **{f"x ** {n}": lambda x, n=n: x**n for n in (2, 3, 0.5, -0.5, -1)},
    }
    of_two = {name: getattr(torch, "eq" if name == "equal" else name) for name in BINARY}
    for inputs, functions in ((ONE, of_one), (TWO, of_two)):
        for f in functions.values():
            p = port.from_torch(Of(f), *(torch.rand(x.shape) + 0.1 for x in inputs))
            with torch.backends.mkldnn.flags(enabled=False):  # oneDNN's gelu of infinity is NaN where it uses AVX-512
                the_same(p, inputs, f(*map(torch.tensor, inputs)))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_keras():
    keras = pytest.importorskip("keras")
    ops = keras.ops
    of_one = {name: getattr(ops, name) for name in (*UNARY, *CURVES)}
    of_one |= {name: lambda x, f=f: f(x, ops.where) for name, f in CHOICES.items()}
    of_one |= {
        "clip": lambda x: ops.clip(x, -1, 2), "zeros_like": ops.zeros_like, "ones_like": ops.ones_like,
        "full_like": lambda x: ops.full_like(x, 2.0), "bool": lambda x: ops.cast(x, "bool"),
        "tril": lambda x: ops.sum(ops.tril(ops.repeat(x[:, None], 15, 1)), 1), "nan_to_num": ops.nan_to_num,
        "ReLU": keras.layers.ReLU(max_value=4.0, negative_slope=0.25, threshold=0.5),
    }  # fmt: skip
    for inputs, functions in ((ONE, of_one), (TWO, {name: getattr(ops, name) for name in BINARY})):
        for f in functions.values():
            symbols = [keras.Input(x.shape[1:]) for x in inputs]
            the_same(port.from_keras(keras.Model(symbols, f(*symbols))), inputs, f(*map(ops.convert_to_tensor, inputs)))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_tensorflow():
    tf = pytest.importorskip("tensorflow")
    names = {"isfinite": "is_finite", "isinf": "is_inf", "isnan": "is_nan"}
    of_one = {name: getattr(tf.math, names.get(name, name)) for name in UNARY if name != "relu"}
    of_one |= {name: getattr(tf.nn, name) for name in ("relu", "relu6", "elu", "selu", "leaky_relu", "gelu", "silu")}
    of_one |= {name: lambda x, f=f: f(x, tf.where) for name, f in CHOICES.items()}
    of_one |= {
        "clip": lambda x: tf.clip_by_value(x, -1, 2), "bool": lambda x: tf.cast(x, tf.bool), "erfinv": tf.math.erfinv,
        "floordiv": lambda x: x // 2.0, "floormod": lambda x: x % 2.0, "erfc": tf.math.erfc,
        "band": lambda x: tf.reduce_sum(tf.linalg.band_part(tf.repeat(x[:, None], 15, 1), -1, 0), 1),
    }  # fmt: skip
    of_two = {name: getattr(tf.math, name) for name in (*BINARY, "atan2", "floordiv")}
    for inputs, functions in ((ONE, of_one), (TWO, of_two)):
        for f in functions.values():
            p = port.from_tf(tf.function(lambda *xs, f=f: f(*xs)), *(np.abs(np.nan_to_num(x)) % 1 for x in inputs))
            the_same(p, inputs, f(*map(tf.constant, inputs)))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_jax():
    of_one = {name: getattr(jnp, name, getattr(jax.nn, name, None)) for name in UNARY if name not in ("erf", "rsqrt")}
    of_one |= {name: getattr(jax.nn, name) for name in CURVES}
    of_one |= {name: lambda x, f=f: f(x, jnp.where) for name, f in CHOICES.items()}
    of_one |= {
        "nan_to_num": jnp.nan_to_num, "sinc": jnp.sinc, "rsqrt": jax.lax.rsqrt, "erf": jax.lax.erf,
        "bool": lambda x: x.astype(bool),
        "finfo": lambda x: jax.nn.softmax(jnp.where(jnp.isfinite(x) & (x > 1e9), x, jnp.finfo(x.dtype).min)),
        "eps": lambda x: jnp.log(jnp.abs(x) + jnp.finfo(x.dtype).eps),
    }  # fmt: skip
    for inputs, functions in ((ONE, of_one), (TWO, {name: getattr(jnp, name) for name in BINARY})):
        for f in functions.values():
            p = port.from_jax(lambda params, *xs, f=f: f(*xs), {}, *(np.full(x.shape, 0.3, np.float32) for x in inputs))
            the_same(p, inputs, jax.jit(f)(*inputs))
