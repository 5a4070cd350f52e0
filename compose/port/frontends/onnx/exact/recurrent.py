"""Recurrent layers with any of ONNX's activations, of which onnx's reference knows few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from compose.port.frontends.onnx.literals import meant

_sigmoid = lambda x: 1 / (1 + np.exp(-x))
_ACTIVATIONS: dict[str, tuple[Callable, float, float]] = {  # with the defaults of alpha and beta
    "Tanh": (lambda x, a, b: np.tanh(x), 0, 0),
    "Sigmoid": (lambda x, a, b: _sigmoid(x), 0, 0),
    "Relu": (lambda x, a, b: np.maximum(x, 0), 0, 0),
    "Affine": (lambda x, a, b: a * x + b, 1, 0),
    "LeakyRelu": (lambda x, a, b: np.where(x >= 0, x, a * x), 0.01, 0),
    "ThresholdedRelu": (lambda x, a, b: np.where(x > a, x, 0), 1, 0),
    "ScaledTanh": (lambda x, a, b: a * np.tanh(b * x), 1, 1),
    "HardSigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
    "Elu": (lambda x, a, b: np.where(x >= 0, x, a * np.expm1(x)), 1, 0),
    "Softsign": (lambda x, a, b: x / (1 + np.abs(x)), 0, 0),
    "Softplus": (lambda x, a, b: np.logaddexp(x, 0), 0, 0),
}
_TAKES = {"Affine": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "ScaledTanh": 2, "HardSigmoid": 2, "Elu": 1}
_USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


class _Recurrent(OpRun):
    """The walk over time that the three kinds share; a kind gives `gates` and `step`."""

    gates = 1

    def _run(
        self, x, w, r, b=None, lengths=None, h=None, c=None, p=None, activations=None, activation_alpha=None,
        activation_beta=None, clip=None, direction="forward", layout=0, **options,
    ):  # fmt: skip
        kind = type(self).__name__
        if clip is not None:
            raise NotImplementedError("clip")
        x = x.swapaxes(0, 1) if layout else x
        (steps, batch, _), ways, n = x.shape, w.shape[0], r.shape[-1]
        alphas, betas = (iter(map(meant, v or ())) for v in (activation_alpha, activation_beta))
        names = [str(v.decode() if isinstance(v, bytes) else v) for v in activations or _USUAL[kind] * ways]
        curves = [_curve(name, alphas, betas) for name in names]
        zeros = np.zeros((ways, batch, n))
        first = [zeros if v is None else v.swapaxes(0, 1) if layout else v for v in (h, c)]
        each = len(names) // ways
        every, last = np.zeros((steps, ways, batch, n)), []
        lengths = np.full(batch, steps) if lengths is None else lengths
        for way in range(ways):
            backwards = direction == "reverse" or way == 1
            arrays = (w[way], r[way], np.zeros(2 * self.gates * n) if b is None else b[way])
            peep = np.zeros(3 * n) if p is None else p[way]
            carry = tuple(v[way] for v in first)
            for i in range(steps):
                at = np.where(i < lengths, lengths - 1 - i if backwards else i, i)
                acts = curves[way * each :][:each]
                after = self.step(x[at, np.arange(batch)], carry, arrays, peep, acts, options)
                goes_on = (i < lengths)[:, None]
                carry = tuple(np.where(goes_on, new, old) for new, old in zip(after, carry))
                every[at, way, np.arange(batch)] = np.where(goes_on, carry[0], 0)
            last.append(carry)
        ends = [np.stack(v) for v in zip(*last)]
        if layout:
            every, ends = every.transpose(2, 0, 1, 3), [v.swapaxes(0, 1) for v in ends]
        return (every, *ends)[: max(len(self.onnx_node.output), 1)]

    def step(self, x, carry: tuple, weights: tuple, p, acts, options) -> tuple:
        raise NotImplementedError


class RNN(_Recurrent):
    def step(self, x, carry: tuple, weights: tuple, p, acts, options) -> tuple:
        (h, c), (w, r, b) = carry, weights
        n = h.shape[-1]
        return acts[0](x @ w.T + h @ r.T + b[:n] + b[n:]), c


class GRU(_Recurrent):
    gates = 3

    def step(self, x, carry: tuple, weights: tuple, p, acts, options) -> tuple:
        (h, c), (w, r, b) = carry, weights
        n = h.shape[-1]
        inner, outer = x @ w.T + b[: 3 * n], h @ r[: 2 * n].T + b[3 * n : 5 * n]
        z, reset = acts[0](inner[:, :n] + outer[:, :n]), acts[0](inner[:, n : 2 * n] + outer[:, n:])
        if options.get("linear_before_reset"):
            new = acts[1](inner[:, 2 * n :] + reset * (h @ r[2 * n :].T + b[5 * n :]))
        else:
            new = acts[1](inner[:, 2 * n :] + (reset * h) @ r[2 * n :].T + b[5 * n :])
        return (1 - z) * new + z * h, c


class LSTM(_Recurrent):
    gates = 4

    def step(self, x, carry: tuple, weights: tuple, p, acts, options) -> tuple:
        (h, c), (w, r, b) = carry, weights
        n = h.shape[-1]
        i, o, f, g = np.split(x @ w.T + h @ r.T + b[: 4 * n] + b[4 * n :], 4, -1)
        i, f = acts[0](i + p[:n] * c), acts[0](f + p[2 * n :] * c)
        f = 1 - i if options.get("input_forget") else f
        c = f * c + i * acts[1](g)
        return acts[0](o + p[n : 2 * n] * c) * acts[2](c), c


def _curve(name: str, alphas: Any, betas: Any) -> Callable[[np.ndarray], np.ndarray]:
    """An activation with its numbers, which those that have some take from the lists in turn."""
    fn, alpha, beta = next((v for k, v in _ACTIVATIONS.items() if k.lower() == name.lower()))
    takes = next((n for k, n in _TAKES.items() if k.lower() == name.lower()), 0)
    alpha = next(alphas, alpha) if takes else alpha
    beta = next(betas, beta) if takes > 1 else beta
    return lambda x: fn(x, alpha, beta)


OPERATIONS = [RNN, GRU, LSTM]
