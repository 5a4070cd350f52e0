"""Activations with weights."""

from __future__ import annotations

from compose.core.registry import word
from compose.port.frontends.flax.registry import rules
from compose.port.frontends.jax.values import Weight


@rules("flax.linen.activation.PReLU", "flax.nnx.nn.activations.PReLU")
def _prelu(low, module, x):
    return low.emit(word("prelu"), x, weights={"negative_slope": _only(low.weights)})


def _only(weights: dict[str, Weight]) -> Weight:
    (weight,) = weights.values()
    return weight
