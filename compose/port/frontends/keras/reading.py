"""One reading of a Keras model, and again for other lengths: what the network is right for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.port.frontends.keras.examples import examples_for
from compose.port.frontends.keras.inlining import functional
from compose.port.frontends.keras.lower import KerasLowering
from compose.port.frontends.keras.options import training_notes
from compose.port.frontends.keras.resized import is_functional, is_open, nodes_kept, resized
from compose.port.frontends.lengths import takes_others, with_lengths
from compose.port.ir.graph import SourceGraph
from compose.port.lowering.unsupported import NoValue


def read(model: Any, inputs: tuple, partial: bool, apart: frozenset[str]) -> tuple[SourceGraph, tuple]:
    """The model as the graph that `Ported` is made from, and examples of its call's arguments.

    Args:
        apart: the weights that are read as they are, each by one `parameter`.
    """
    with nodes_kept(model):
        return _Reading(model, inputs, partial, apart).result()


class _Reading:
    """See `read`.

    Attributes:
        whole: the model as a functional one, for the shapes that are read.
        examples: example inputs, flat.
        known: whether lengths that the model or one within it leaves open are those of the examples.
        others: the model as a functional one for other inputs, by their shapes.
    """

    def __init__(self, model: Any, inputs: tuple, partial: bool, apart: frozenset[str]):
        self.model, self.inputs, self.partial, self.apart = model, inputs, partial, apart
        self.known = False
        self.others: dict[tuple, Any] = {}
        self.whole = functional(model, inputs)
        self.examples = [np.asarray(x) for x in keras.tree.flatten(inputs)] or examples_for(self.whole)
        for x, taken in zip(self.examples, self.whole.inputs if is_functional(model) else ()):
            sizes = zip(taken.shape[1:], x.shape[1:])
            if len(x.shape) == len(taken.shape) and any(n not in (None, m) for n, m in sizes):
                raise PortError(f"inputs that the model takes, of the shape {tuple(taken.shape)}, got {x.shape}")
        own = type(model).__module__.split(".")[0] != "keras"
        self.name = type(model).__name__ if own else model.name

    def result(self) -> tuple[SourceGraph, tuple]:
        unread, left_open = None, []
        try:
            walk, graph = self._lowered(self.whole)
        except NoValue:
            raise
        except ComposeError as e:
            if not is_open(self.whole):
                raise
            shapes = [(t.shape[0], *x.shape[1:]) for t, x in zip(self.whole.inputs, self.examples)]
            left_open = [(i, a) for i, t in enumerate(self.whole.inputs) for a, n in enumerate(t.shape) if n is None]
            sized, self.known = resized(self.whole, shapes), True  # for a call that reads a length as a number
            unread, self.whole = None if sized is self.whole else e, sized
            walk, graph = self._lowered(self.whole)
        right = with_lengths(graph, self.examples, self._takes, lambda other: self._lowered(self._of(other))[1])
        if unread and not self.inputs and not takes_others(right, self.examples, left_open):
            raise PortError(
                "example inputs of the lengths that the network is for, since the model reads one that it leaves open: "
                f"from_keras(model, x); {unread}"
            ) from unread
        graph = replace(right, saved=walk.saved(self.model, graph.arrays), notes=training_notes(self.model))
        return graph, self._arguments()

    def _lowered(self, whole: Any) -> tuple[KerasLowering, SourceGraph]:
        walk = KerasLowering(self.apart, self.known)
        graph = walk.run(whole, self.name)
        walk.refuse(self.partial)
        return walk, graph

    def _of(self, inputs: list[np.ndarray]) -> Any:
        """The model as a functional one for inputs like these; lengths that it leaves open stay open."""
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self.others:
            self.others[shapes] = self._traced(inputs)
        return self.others[shapes]

    def _traced(self, inputs: list[np.ndarray]) -> Any:
        if not is_functional(self.model):
            return functional(self.model, keras.tree.pack_sequence_as(self.inputs, inputs))
        sizes = lambda t, x: tuple(None if n is None else m for n, m in zip(t.shape, x.shape))
        return resized(self.whole, [sizes(t, x) for t, x in zip(self.whole.inputs, inputs)])

    def _takes(self, inputs: list[np.ndarray]) -> bool:
        try:
            self._of(inputs)
        except Exception:
            return False
        return True

    def _arguments(self) -> tuple:
        """The examples as the arguments of the model's call."""
        if not is_functional(self.model):
            return self.inputs
        named = getattr(getattr(self.model, "_functional", None) or self.model, "_inputs_struct", None)
        if isinstance(named, dict) and len(keras.tree.flatten(named)) == len(self.examples):
            return (keras.tree.pack_sequence_as(named, self.examples),)
        return (self.examples[0] if len(self.examples) == 1 else self.examples,)
