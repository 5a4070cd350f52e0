"""Cases of the activations; their options are proven in tests/layers/activation/test_basic.py."""

import numpy as np
from scipy import special

from compose import (  # fmt: skip
    celu,
    elu,
    fc,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    maxout,
    mish,
    ops,
    prelu,
    relu,
    relu6,
    rrelu,
    selu,
    sigmoid,
    silu,
    soft_min,
    soft_shrink,
    soft_sign,
    softmax,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)
from tests.cases.case import Case

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def soften(x):
    return np.logaddexp(x, 0)


def leak(x, slope):
    return np.where(x > 0, x, slope * x)


def nearest_on_simplex(x):
    ordered = -np.sort(-x, -1)
    cuts = (np.cumsum(ordered, -1) - 1) / np.arange(1, x.shape[-1] + 1)
    return np.maximum(x - cuts.max(-1, keepdims=True), 0)


def case(layer, f, shape=(3, 6)):
    return Case(layer, (shape,), lambda p, s, x: f(x))


CASES = [
    case(relu, lambda x: np.maximum(x, 0)),
    case(
        relu(max_value=1.0, negative_slope=0.2, threshold=0.5),
        lambda x: np.where(x > 0.5, np.minimum(x, 1), 0.2 * (x - 0.5)),
    ),
    case(relu6, lambda x: np.clip(x, 0, 6)),
    case(leaky_relu, lambda x: leak(x, 0.01)),
    case(leaky_relu(negative_slope=0.3), lambda x: leak(x, 0.3)),
    case(sigmoid, special.expit),
    case(tanh, np.tanh),
    case(hard_tanh(min_value=-0.5), lambda x: np.clip(x, -0.5, 1)),
    case(hard_sigmoid, lambda x: np.clip(x + 3, 0, 6) / 6),
    case(hard_swish, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    case(hard_shrink, lambda x: x * (np.abs(x) > 0.5)),
    case(soft_shrink, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    case(threshold(threshold=0.1, value=2.0), lambda x: np.where(x > 0.1, x, 2)),
    case(sparse_plus, lambda x: np.where(x < -1, 0, np.where(x > 1, x, (x + 1) ** 2 / 4))),
    case(sparse_sigmoid, lambda x: np.clip((x + 1) / 2, 0, 1)),
    case(gelu, lambda x: x * special.ndtr(x)),
    case(gelu(approximate=True), lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2),
    case(silu, lambda x: x * special.expit(x)),
    case(mish, lambda x: x * np.tanh(soften(x))),
    case(softplus, soften),
    case(softplus(beta=2.0, threshold=2.0), lambda x: np.where(2 * x > 2, x, soften(2 * x) / 2)),
    case(soft_sign, lambda x: x / (1 + np.abs(x))),
    case(log_sigmoid, lambda x: -soften(-x)),
    case(elu(alpha=2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x))),
    case(selu, lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))),
    case(celu(alpha=2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2))),
    case(ops.exp, np.exp),
    case(squareplus, lambda x: (x + np.sqrt(x**2 + 4)) / 2),
    case(tanh_shrink, lambda x: x - np.tanh(x)),
    case(softmax, lambda x: special.softmax(x, -1)),
    case(softmax(axis=(1, 2)), lambda x: special.softmax(x, (1, 2)), (3, 5, 2)),
    case(log_softmax(axis=1), lambda x: special.log_softmax(x, 1), (3, 5, 2)),
    case(soft_min, lambda x: special.softmax(-x, -1)),
    case(sparsemax, nearest_on_simplex),
    case(glu, lambda x: x[:, :3] * special.expit(x[:, 3:])),
    case(maxout(pieces=3), lambda x: x.reshape(3, 2, 3).max(-1)),
    case(rrelu(), lambda x: leak(x, 11 / 48)),
    Case(prelu(), ((3, 6),), lambda p, s, x: leak(x, p["negative_slope"])),
    Case(prelu((-1,)), ((2, 3, 6),), lambda p, s, x: leak(x, p["negative_slope"])),
    Case(fc(4, prelu), ((3, 6),), lambda p, s, x: leak(x @ p["kernel"] + p["bias"], p["activation"]["negative_slope"])),
]
