"""The record of a port: the network and its weights, the source and how the two correspond.

Proofs and files take this record; `compose.port.Ported` adds the methods that users call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from compose.combinators import identity
from compose.core.combinator import Composite
from compose.core.errors import PortError
from compose.core.layer import Layer, walk
from compose.core.plan import plan
from compose.core.run import abstract, check_tree
from compose.ops.operation import Operation
from compose.port.ir.graph import Saved, SourceGraph
from compose.port.ir.recovered import Recovered
from compose.port.ir.reference import Arrays, Reference
from compose.port.ir.weights import WeightMap

_RATES = ("rate", "dropout", "recurrent_dropout", "stddev")  # fields that set how much noise a layer adds


@dataclass(frozen=True)
class Result:
    """What a port consists of.

    Attributes:
        net: the network, to edit and train like any other.
        params, state: its weights, taken from the source.
        found: the recovered structure, with the map of the weights.
        inputs: the abstract inputs that the network was planned with.
        graph: the source as the front end read it.
        reference: the source model in float64, for proofs.
        frontend: the front end that read the source, as `"torch"`.
    """

    net: Layer
    params: Any
    state: Any
    found: Recovered
    inputs: tuple[jax.ShapeDtypeStruct, ...]
    graph: SourceGraph
    reference: Reference
    frontend: str

    @property
    def weights(self) -> WeightMap:
        """Which array of the source each parameter is; print it."""
        return self.found.weights

    def to_source(self, params: Any, state: Any = None) -> Arrays:
        """The source's arrays by name, from parameters (and state) of the network: the inverse of the weight map.

        Raises `ParamsError` if the weights do not fit `net`.
        """
        state = self.state if state is None else state
        self.check(params, state)
        return self.weights.dump(params, state, self.graph.arrays)

    def saved_by(self, framework: str) -> Saved:
        """The entries of the source's own weight file; raises `PortError` for a port from another framework."""
        saved = self.graph.saved
        if saved is None or saved.framework != framework:
            source = saved.framework if saved else self.graph.name
            raise PortError(f"a port of a {framework} model, got one of {source}")
        return saved

    # Inputs and outputs in the source's layout (`theirs`) and in the network's (`ours`).

    def ours(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Inputs in the network's layout."""
        return [x if axes is None else x.transpose(axes) for x, axes in zip(inputs, self.graph.input_axes)]

    def given(self, inputs: Sequence[Any]) -> list[list[np.ndarray]]:
        """Inputs of users, each an array or a tuple of them in the source's layout, with the examples' dtypes."""
        like = self.reference.inputs()
        made = []
        for xs in inputs:
            arrays = [np.asarray(x) for x in (xs if isinstance(xs, (tuple, list)) else (xs,))]
            if [x.ndim for x in arrays] != [x.ndim for x in like]:
                raise PortError(f"inputs like the examples, {len(like)} arrays of their ranks, to prove the port with")
            made.append([x.astype(y.dtype) for x, y in zip(arrays, like)])
        return made

    def theirs_in(self, index: int, x: np.ndarray) -> np.ndarray:
        """One input in the source's layout."""
        axes = self.graph.input_axes[index]
        return x if axes is None else x.transpose(np.argsort(axes))

    def ours_out(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """Outputs in the network's layout."""
        return [y if axes is None else y.transpose(axes) for y, axes in zip(outputs, self.graph.output_axes)]

    def theirs_out(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """Outputs in the source's layout."""
        pairs = zip(outputs, self.graph.output_axes)
        return [y if axes is None else y.transpose(np.argsort(axes)) for y, axes in pairs]

    def check(self, params: Any, state: Any) -> None:
        """Raise `ParamsError` if the weights do not fit the network."""
        expected = plan(self.net, self.specs())
        check_tree(params, expected.params, "parameter")
        check_tree(state, expected.state, "state")

    def specs(self) -> Any:
        """The abstract inputs of the network."""
        return abstract(self.inputs)

    def zero_state(self) -> Any:
        """A state of zeros."""
        return jax.tree.map(np.zeros_like, self.state)

    @cached_property
    def exact(self) -> Layer:
        """The network as proofs run it: where it asks for float32 it gets float64, as in the `reference`."""
        return exact(self.net)

    def without_dropout(self) -> Layer:
        """The `exact` network without random layers, so that training steps can be compared."""
        return self.exact.map(_deterministic)

    def draws_anyway(self) -> bool:
        """Whether a layer draws at random by no rate that could be 0, as `rrelu`."""
        layers = (layer for _, layer in walk(self.without_dropout()) if not isinstance(layer, Composite))
        return any(layer.draws and not _rates(layer) for layer in layers)


def exact(net: Layer) -> Layer:
    """A network that computes in float64 where it asks for float32."""
    return net.map(_widened)


def _widened(path: str, layer: Layer) -> Layer:
    options = dict(layer.options) if isinstance(layer, Operation) else {}
    if options.get("dtype") is None or np.dtype(options["dtype"]) != np.float32:
        return layer
    return layer.but(options=tuple((options | {"dtype": "float64"}).items()))


def _deterministic(path: str, layer: Layer) -> Layer:
    if layer.draws and layer.kind.startswith("random_"):  # augmentation
        return identity
    return layer.but(**dict.fromkeys(_rates(layer), 0.0)) if layer.draws else layer


def _rates(layer: Layer) -> list[str]:
    """The fields that set how much noise a layer adds."""
    return [name for name in _RATES if isinstance(getattr(layer, name, None), float)]
