"""Gradients of a source without automatic differentiation: central differences along random directions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compose.port.ir.reference import Arrays
from compose.port.proof.reference import cotangents
from compose.port.proof.report import Row

WIDTHS = (1e-3, 1e-4, 1e-5, 1e-6)
TOLERANCE = 1e-6  # differences in float64 are accurate to 1e-8 or better; a wrong gradient is off by 1e-3 or more
ROUNDING = 1e-4  # at most this part of a gradient is taken for rounding


class Differences:
    """The outputs of a source, and the derivative of `sum(output * cotangent)` along one direction for each array.

    Fourth-order differences are taken at several widths, and the wider of the two that agree best is used: a wide one
    may cross the kink of a ReLU, and a narrow one is dominated by rounding.

    Args:
        outputs: the source, on arrays and inputs in float64.
    """

    def __init__(self, outputs: Callable, arrays: Arrays, inputs: list[np.ndarray], seed: int):
        self._run, self._arrays, self._inputs, self._seed = outputs, arrays, inputs, seed
        self.outputs: list[np.ndarray] = outputs(arrays, inputs)
        self._cotangents = cotangents(self.outputs, seed)
        size = sum(float(np.sum(np.abs(y * c))) for y, c in zip(self.outputs, self._cotangents))
        self._rounding = float(np.finfo(np.float64).eps) * size

    def rows(self, inputs: list[np.ndarray], weights: Arrays) -> list[Row]:
        """Compare our gradients of the floating-point inputs and of the weights with the differences."""
        rng = np.random.default_rng([self._seed, 13])
        floats = [i for i, x in enumerate(self._inputs) if np.issubdtype(x.dtype, np.floating)]
        ours = {f"input {i}": self._along_input(i, g, rng) for i, g in zip(floats, inputs)}
        theirs = {name: self._along_weight(name, g, rng) for name, g in weights.items()}
        return [self._row("inputs", ours), self._row("weights", theirs)]

    def _row(self, what: str, pairs: dict[str, tuple[float, float]]) -> Row:
        largest = max((scale for *_, scale in pairs.values()), default=0.0)
        errors = {n: error / max(scale, 1e-4 * largest, 1e-300) for n, (error, scale) in pairs.items()}
        worst = max(errors, key=lambda n: errors[n], default="")
        error = errors.get(worst, 0.0)
        return Row(
            "gradients", f"{len(pairs)} {what}, differences to {TOLERANCE:.0e}", error, error <= TOLERANCE, worst
        )

    def _along_input(self, i: int, gradient: np.ndarray, rng) -> tuple[float, float]:
        move = lambda d: [np.asarray(x + d) if j == i else x for j, x in enumerate(self._inputs)]
        return self._along(self._inputs[i], gradient, rng, lambda d: self._total(self._arrays, move(d)))

    def _along_weight(self, name: str, gradient: np.ndarray, rng) -> tuple[float, float]:
        move = lambda d: {**self._arrays, name: np.asarray(self._arrays[name] + d)}
        return self._along(self._arrays[name], gradient, rng, lambda d: self._total(move(d), self._inputs))

    def _along(self, at: np.ndarray, gradient: np.ndarray, rng, total: Callable) -> tuple[float, float]:
        """The error of our slope along a random unit direction, and the root mean square of our gradient.

        What rounding may add to the source's slope, of outputs that are much larger than it, is no error.
        """
        direction = rng.normal(size=at.shape)
        direction /= max(float(np.linalg.norm(direction)), 1e-300)
        slopes = []
        for h in WIDTHS:
            near, far = ((total(k * h * direction) - total(-k * h * direction)) / (2 * k * h) for k in (1, 2))
            slopes.append((4 * near - far) / 3)
        best = min(range(len(WIDTHS) - 1), key=lambda i: abs(slopes[i] - slopes[i + 1]))
        ours = float(np.sum(gradient * direction))
        scale = float(np.linalg.norm(gradient) / max(gradient.size, 1) ** 0.5)
        rounding = min(self._rounding / WIDTHS[best], ROUNDING * scale)
        return max(abs(ours - slopes[best]) - rounding, 0.0), scale

    def _total(self, arrays: Arrays, inputs: list[np.ndarray]) -> float:
        return float(sum(np.sum(y * c).real for y, c in zip(self._run(arrays, inputs), self._cotangents)))
