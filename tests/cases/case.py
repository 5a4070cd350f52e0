"""One layer under test: what the parametrised suite in tests/layers/test_every_layer.py runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compose import Layer


@dataclass(frozen=True)
class Case:
    """A layer, its inputs and an independent reference.

    Args:
        layer: the layer as a person writes it.
        inputs: for each input its shape (float64, normal), or an integer or boolean NumPy array as it is.
        reference: `f(params, state, *inputs) -> output`, on nested dicts of float64 NumPy arrays, written with
            NumPy, SciPy, PyTorch, Keras or Flax; inference mode. None only for layers whose output is random.
        train_reference: the same in training mode, where that differs and is not random; returns
            `(output, state)`.
        tolerance: relative to the largest output, in float64.
        grad: whether the layer has a gradient with respect to its inputs.
    """

    layer: Layer
    inputs: tuple[Any, ...]
    reference: Callable[..., Any] | None = None
    train_reference: Callable[..., Any] | None = None
    tolerance: float = 1e-10
    grad: bool = True

    @property
    def id(self) -> str:
        return " ".join(str(self.layer).split())[:70]


def label(value: Any) -> str | None:
    """A parameter's text as part of a test's name; None where it holds an address, which each process has its own."""
    text = str(value)
    return None if " at 0x" in text else text
