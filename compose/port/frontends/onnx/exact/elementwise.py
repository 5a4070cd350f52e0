"""Functions that onnx's reference computes in float32, or with constants of it, and softmax as old opsets mean it."""

from __future__ import annotations

import math
from typing import Any

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


class Softmax(OpRun):
    """Along one axis; before opset 13 over all axes from the given one on."""

    def _run(self, x, axis=-1):
        over = since(self, x, axis)
        powers = np.exp(x - x.max(axis=over, keepdims=True))
        return (powers / powers.sum(axis=over, keepdims=True),)


class LogSoftmax(OpRun):
    """The logarithm of `Softmax`, over the same axes."""

    def _run(self, x, axis=-1):
        over = since(self, x, axis)
        shifted = x - x.max(axis=over, keepdims=True)
        return (shifted - np.log(np.exp(shifted).sum(axis=over, keepdims=True)),)


class Hardmax(OpRun):
    """One at the first of the largest, over the same axes as `Softmax`."""

    def _run(self, x, axis=-1):
        over: Any = since(self, x, axis)
        rows = x.reshape(*x.shape[: over[0]], -1) if len(over) > 1 else np.moveaxis(x, over[0], -1)
        made = np.zeros_like(rows)
        np.put_along_axis(made, rows.argmax(-1)[..., None], 1, -1)
        return (made.reshape(x.shape) if len(over) > 1 else np.moveaxis(made, -1, over[0]),)


def since(node: Any, x: np.ndarray, axis: int) -> tuple[int, ...]:
    """The axes that a softmax is over, by the opset of its model; the default changed with opset 13 too."""
    if opset(node) >= 13:
        return (axis % x.ndim,)
    given = next((a.i for a in node.onnx_node.attribute if a.name == "axis"), 1)
    return tuple(range(given % x.ndim, x.ndim))


def opset(node: Any) -> int:
    """The version of ONNX's own operations in the model that holds a node."""
    return node.run_params["opsets"].get("", 13)


OPERATIONS = [Erf, Gelu, Softmax, LogSoftmax, Hardmax]
