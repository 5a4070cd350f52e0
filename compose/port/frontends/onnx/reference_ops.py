"""What onnx's reference computes in float32, or with constants of it, in the precision of the input."""

from __future__ import annotations

import math

import numpy as np
from onnx.reference.op_run import OpRun

_erf = np.vectorize(math.erf, otypes=[float])


class Erf(OpRun):
    """The error function."""

    def _run(self, x):
        return (_erf(x),)


class Gelu(OpRun):
    """`x Φ(x)`."""

    def _run(self, x, approximate="none"):
        if approximate == "tanh":
            return (x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),)
        return (x / 2 * (1 + _erf(x / 2**0.5)),)


class GroupNormalization(OpRun):
    """Zero mean and unit variance over space and a group of channels."""

    def _run(self, x, scale, bias, epsilon=1e-5, num_groups=1, stash_type=1):
        apart = x.reshape(x.shape[0], num_groups, -1)
        centred = apart - apart.mean(-1, keepdims=True)
        y = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + epsilon)
        along = (1, -1, *(1,) * (x.ndim - 2))
        return (y.reshape(x.shape) * scale.reshape(along) + bias.reshape(along),)


EXACT = [Erf, Gelu, GroupNormalization]
