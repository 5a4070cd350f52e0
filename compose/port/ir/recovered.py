"""The expression of a source graph, with the map of its weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from compose.core.layer import Layer
from compose.port.ir.weights import WeightMap


@dataclass(frozen=True)
class Recovered:
    """The expression of a graph.

    Attributes:
        net: the network.
        weights: how each of its parameters is taken from the source.
        words: the source's names of parts of it, by part: `{residual(...): "basic_block"}`.
    """

    net: Layer
    weights: WeightMap
    words: dict[Layer, str] = field(default_factory=dict, compare=False)
