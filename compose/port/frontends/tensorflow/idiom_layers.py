"""The layers of idioms: norms, functions and recurrent layers that TensorFlow writes out in many operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.passes.recurrent import Recurrent
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.frontends.tensorflow.waiting import WaitingLowering


class IdiomLayers:
    """Emits idioms.

    Attributes:
        sequences: for each recurrent layer, its outputs at all steps.
    """

    def __init__(self, lowering: WaitingLowering) -> None:
        self.lowering = lowering
        self.sequences: dict[str, Value] = {}

    def emit(self, found: Idiom) -> Value:
        """The value that an idiom computes."""
        lowering = self.lowering
        if isinstance(found, Recurrent):
            return self._recurrent(found)
        if found.layer.kind == "batch_norm" and not found.state:
            raise PortError(
                "batch norm whose mean and variance are averaged by assignments with one momentum, got none: port what "
                "it computes in inference, and say how it trains, as in from_tf(f, x, training={'training': True})"
            )
        x = lowering.env[found.x]
        of = lambda tree: {k: _as_layer_wants(found.layer, self._weight(t)) for k, t in tree.items()}
        weights, state = of(found.weights), of(found.state)
        if any(w.trained for w in state.values()):
            names = ", ".join(w.view.source for w in state.values() if w.trained)
            raise PortError(f"the mean and variance of batch norm with trainable=False, got {names}")
        if not weights and not state:
            norm = found.layer.kind.endswith("_norm") or found.layer.kind in ("logsumexp", "resize", "unit_norm")
            return lowering.along(found.layer, x) if norm else lowering.each(found.layer, x)
        return lowering.emit(found.layer, lowering.whole(x), weights=weights, state=state)

    def _recurrent(self, found: Recurrent) -> Value:
        """A recurrent layer, which has its batch first here."""
        lowering = self.lowering
        x = lowering.permuted(lowering.whole(lowering.env[found.x]), (1, 0, 2))
        size = found.layer.size
        if found.sequence not in lowering.facts.wanted:
            flip = lowering.producer(x)
            if flip is not None and flip.layer == word("ops.flip")(axis=1):
                x = x.but(index=flip.inputs[0])
                found = replace(found, layer=found.layer.but(reverse=True))
            return lowering.emit(found.layer.but(output="last"), x, shape=(x.shape[0], size), weights=found.views)
        if found.sequence not in self.sequences:
            self.sequences[found.sequence] = lowering.emit(
                found.layer, x, shape=(*x.shape[:2], size), weights=found.views
            )
        every = self.sequences[found.sequence]
        if not found.last:
            return lowering.permuted(every, (1, 0, 2))
        return lowering.emit(word("at")(":, -1"), every, shape=(x.shape[0], size))

    def _weight(self, name: str) -> Weight:
        """A variable, or the constant that is used as one."""
        value = self.lowering.facts.constant(self.lowering.facts.graph.get_tensor_by_name(name))
        return self.lowering.env[name] if value is None else Weight.constant(value)


def _as_layer_wants(layer: Any, weight: Weight) -> Weight:
    """A weight in the shape that the layer expects; axes that only broadcast are removed."""
    if layer.kind == "depthwise_conv":
        *size, channels, multiplier = weight.shape
        return weight.reshaped((*size, 1, channels * multiplier))
    if layer.kind == "conv":
        return weight
    sizes = tuple(n for n in weight.shape if n != 1) or (1,)
    return weight if weight.shape == sizes else weight.reshaped(sizes)
