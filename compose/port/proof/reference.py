"""What a proof needs of the source model: its outputs, gradients and training steps in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from compose.port.proof.finite_differences import Differences

Arrays = dict[str, np.ndarray]


class Gradients(NamedTuple):
    """Outputs, and the gradients of `sum(output * cotangent)` for every input and weight."""

    outputs: list[np.ndarray]
    inputs: list[np.ndarray]
    weights: Arrays


class Original(Protocol):
    """The source model, run in float64 on given weights; arrays go in and out in the source's axes."""

    def inputs(self) -> list[np.ndarray]:
        """The example inputs, floating point ones in float64."""
        ...

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """In inference mode, flat."""
        ...

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients | Differences:
        """In inference mode, under the random cotangents of `cotangents`."""
        ...

    def train(
        self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        """All weights after each of these numbers of training steps, which ascend, from one run.

        The loss is `mse` to the `cotangents` as targets, in training mode without dropout. A source whose computation
        has no modes sets `has_modes = False`, and its steps are in inference mode.
        """
        ...

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Every intermediate value, in inference mode, in any order."""
        ...

    def default_optimizer(self) -> Any:
        """SGD with momentum, of the source's framework."""
        ...


def cotangents(outputs: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Random numbers shaped as the outputs, the same on both sides."""
    rng = np.random.default_rng([seed, 7])
    return [rng.normal(size=o.shape) for o in outputs]


def perturbed(arrays: Arrays, seed: int) -> Arrays:
    """Weights in float64, shifted at random: the zeros and ones of a new model hide mistakes.

    Variances are drawn between 0.5 and 1.5, and positive arrays stay positive.
    """
    rng = np.random.default_rng([seed, 11])
    result = {}
    for name, array in arrays.items():
        float64 = np.asarray(array, np.float64)
        if name.endswith(("var", "variance")):
            result[name] = rng.uniform(0.5, 1.5, float64.shape)
            continue
        if float64.size and float64.min() > 0:
            result[name] = float64 * np.exp(0.1 * rng.normal(size=float64.shape))
            continue
        constant = float64.size == 0 or np.ptp(float64) == 0
        size = 0.1 if constant else 0.1 * float64.std()
        result[name] = float64 + size * rng.normal(size=float64.shape)
    return result
