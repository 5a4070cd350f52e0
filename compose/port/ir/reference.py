"""What a front end offers of the source model, in float64, so that a port can be proven against it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

Arrays = dict[str, np.ndarray]


class Gradients(NamedTuple):
    """Outputs, and the gradients of `sum(output * cotangent)` for every input and weight.

    Attributes:
        exist: False if no output is a differentiable function of an input or a weight, so that all are zero.
    """

    outputs: list[np.ndarray]
    inputs: list[np.ndarray]
    weights: Arrays
    exist: bool = True


class Witness(NamedTuple):
    """What another program computes of the source, on its own weights and the example inputs.

    Attributes:
        name: of the program.
        outputs: those that it gives, by their place among all.
    """

    name: str
    outputs: dict[int, np.ndarray]


class Directional(Protocol):
    """Outputs, and derivatives along random directions, of a source that has no gradients."""

    outputs: list[np.ndarray]

    def rows(self, inputs: list[np.ndarray], weights: Arrays) -> list[Any]:
        """Our gradients of the floating-point inputs and of the weights, compared: rows of a report."""
        ...


class Reference(Protocol):
    """The source model, run in float64 on given weights; arrays go in and out in the source's axes.

    A source that computes something for sizes that it does not take has a method `takes(inputs)` that says so. One that
    was made from a file may have a method `witness() -> Witness | None`: the reference itself is then compared with
    another program that runs the file.
    """

    def inputs(self) -> list[np.ndarray]:
        """The example inputs, floating-point ones in float64."""
        ...

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs in inference mode, as a flat list."""
        ...

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients | Directional:
        """Gradients in inference mode, for the cotangents that `cotangents(outputs, seed)` draws."""
        ...

    def train(
        self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        """All weights after each of these numbers of training steps, which ascend, from one run.

        The loss is `mse` to the `cotangents` as targets, in training mode without dropout. A source whose computation
        has no modes sets `has_modes = False`, and its steps are in inference mode. One that cannot train sets
        `trains = False`.
        """
        ...

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Every intermediate value in inference mode, in any order."""
        ...

    def default_optimizer(self) -> Any:
        """SGD with momentum, an object of the source framework."""
        ...
