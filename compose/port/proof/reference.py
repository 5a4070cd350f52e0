"""What a front end must offer of the original model, so that a port can be proven against it."""

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

    def train(self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, steps: int) -> Arrays:
        """All weights after so many steps on `mse` to the `cotangents` as targets, in training mode, no dropout.

        A source whose computation has no modes says so by `has_modes = False`, and its steps are in inference mode.
        """
        ...

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Every value computed on the way, in inference mode, in any order."""
        ...

    def default_optimizer(self) -> Any:
        """SGD with momentum, in the source's own class."""
        ...


def cotangents(outputs: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Random numbers shaped as the outputs, the same on both sides."""
    rng = np.random.default_rng([seed, 7])
    return [rng.normal(size=o.shape) for o in outputs]


def perturbed(arrays: Arrays, seed: int) -> Arrays:
    """Weights in float64 moved off zero and one: a fresh model's zeros and ones hide mistakes.

    Variances stay positive and near one, what is positive stays so; everything else is shifted a little, at random.
    """
    rng = np.random.default_rng([seed, 11])
    made = {}
    for name, array in arrays.items():
        wide = np.asarray(array, np.float64)
        if name.endswith(("var", "variance")):
            made[name] = rng.uniform(0.5, 1.5, wide.shape)
            continue
        if wide.size and wide.min() > 0:
            made[name] = wide * np.exp(0.1 * rng.normal(size=wide.shape))
            continue
        constant = wide.size == 0 or np.ptp(wide) == 0
        size = 0.1 if constant else 0.1 * wide.std()
        made[name] = wide + size * rng.normal(size=wide.shape)
    return made
