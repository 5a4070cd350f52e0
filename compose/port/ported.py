"""A ported model: the network, its weights, its text, and the proof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from compose.combinators import identity
from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import abstract, check_tree
from compose.port.bundle.checkpoint import flax_variables, keras_weights, load_checkpoint, state_dict, tf_variables
from compose.port.ir.graph import SourceGraph
from compose.port.ir.weights import WeightMap
from compose.port.proof.reference import Original
from compose.port.proof.report import Report
from compose.port.structure import Recovered, recover

_RANDOM = ("rate", "dropout", "recurrent_dropout", "stddev")  # fields that say how much a layer draws


@dataclass(frozen=True)
class Ported:
    """What `from_torch` and the other front ends return.

    Attributes:
        net: the network, to edit and train like any other.
        params, state: its weights, taken from the source.
        found: the structure that was recovered, with the map of the weights.
        inputs: the abstract inputs that the network was planned with.
        graph: the source as it was read.
        original: the source model, for the proof.
    """

    net: Layer
    params: Any
    state: Any
    found: Recovered
    inputs: tuple[jax.ShapeDtypeStruct, ...]
    graph: SourceGraph
    original: Original

    @classmethod
    def of(cls, graph: SourceGraph, original: Original, repeats: bool = True) -> Ported:
        """Recover the structure of a source graph and load its weights."""
        moved = zip(original.inputs(), graph.input_axes)
        specs = tuple(_spec(x if axes is None else x.transpose(axes)) for x, axes in moved)
        found = recover(graph, *specs, repeats=repeats)
        params, state = found.weights.load(graph.arrays, jax.numpy.asarray)
        return cls(found.net, params, state, found, specs, graph, original)

    @property
    def weights(self) -> WeightMap:
        """The records that say which array of the source each parameter is; print it."""
        return self.found.weights

    @property
    def source(self) -> str:
        """A Python file that builds `net`, as a person would have written it."""
        from compose.port.codegen.source import source

        return source(self.net, words=self.found.words)

    def verify(
        self,
        level: str = "gradients",
        optimizer: Any = None,
        *,
        seed: int = 0,
        tolerance: float = 1e-10,
        steps: int = 20,
    ) -> Report:
        """Prove the port equal to the source, in float64 with perturbed weights and random cotangents.

        Args:
            level: `"weights"` (each used once), `"outputs"`, `"gradients"` (of all weights and inputs), `"step"`
                (one training step, batch-norm state included) or `"steps"`; each includes those before.
            optimizer: the source framework's, over the source model's parameters; SGD with momentum by default.
            tolerance: the largest relative error.
            steps: how many for `"steps"`.

        Raises `PortError` on a mismatch, with the table and the first layer that differs.
        """
        from compose.port.proof.verify import verify

        return verify(self, level, optimizer, seed=seed, tolerance=tolerance, steps=steps)

    def save(self, folder: str | Path, report: Report | None = None) -> None:
        """Write `model.py`, the weights, `report.json` and a test that needs nothing but `compose`.

        `port.load(folder)` reads it.

        Args:
            report: a proof that `verify` gave; without one it is made, at the level of gradients.
        """
        from compose.port.bundle.write import save

        save(self, folder, report)

    def to_source(self, params: Any, state: Any = None) -> dict[str, np.ndarray]:
        """The source's arrays by name from parameters (and state) of the network: the weight map backwards.

        Raises `ParamsError` for weights that are not those of `net`.
        """
        state = self.state if state is None else state
        self.check(params, state)
        return self.weights.dump(params, state, self.graph.arrays)

    def to_torch_state_dict(self, params: Any, state: Any = None) -> dict[str, Any]:
        """What the PyTorch model's `load_state_dict` takes, with these weights; the rest is as it was ported."""
        return state_dict(self, params, state)

    def to_keras_weights(self, params: Any, state: Any = None) -> list[np.ndarray]:
        """What the Keras model's `set_weights` takes, with these weights; the rest is as it was ported."""
        return keras_weights(self, params, state)

    def to_flax_variables(self, params: Any, state: Any = None) -> dict[Any, Any]:
        """The Linen module's collections, or the NNX module's pure dict, with these weights.

        For NNX: `nnx.replace_by_pure_dict(nnx.state(module), ...)`, then `nnx.update`.
        """
        return flax_variables(self, params, state)

    def to_tf_variables(self, params: Any, state: Any = None) -> list[tuple[Any, np.ndarray]]:
        """Each variable of TensorFlow's with its new value, to `assign` it; in TF1 to `load` it into the session."""
        return tf_variables(self, params, state)

    def load_checkpoint(self, path: str | Path, prefix: str = "") -> tuple[Any, Any]:
        """Parameters and state from a safetensors file with the source's names, through the same map.

        Args:
            prefix: what stands before every name in the file, as `"module."`.

        Raises `FileError` for a file of another kind (a pickle is never loaded), and for tensors that are missing,
        surplus, or of another shape or dtype than the source's; narrower floats are widened.
        """
        return load_checkpoint(self, path, prefix)

    def optimizer(self, source: Any, learning_rate: Any = None, steps: int | None = None) -> tuple[Any, Any]:
        """The optax transformation of an optimizer of the source model, and its state: its moments go on here.

        Args:
            source: the optimizer, over the parameters of the model that was ported.
            learning_rate: instead of the optimizer's own, as for `port.optimizer`.
            steps: how many it has made, for torch's SGD, which does not count them.

        Raises `ConfigError` for moments that no weight map carries: several groups of parameters, factored moments.
        """
        from compose.port.train.optimizers.optimizer_state import carried

        return carried(self, source, learning_rate, steps)

    def unstacked(self) -> Ported:
        """The same port with equal blocks written out instead of stacked in a `repeat`."""
        if not self.graph.ops:
            raise PortError("a port in the process that made it, to recover the structure again")
        return Ported.of(self.graph, self.original, repeats=False)

    # The source's axes and ours.

    def ours(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Inputs as the network takes them."""
        return [x if axes is None else x.transpose(axes) for x, axes in zip(inputs, self.graph.input_axes)]

    def theirs_in(self, index: int, x: np.ndarray) -> np.ndarray:
        axes = self.graph.input_axes[index]
        return x if axes is None else x.transpose(np.argsort(axes))

    def ours_out(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        return [y if axes is None else y.transpose(axes) for y, axes in zip(outputs, self.graph.output_axes)]

    def theirs_out(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """Outputs as the source gives them."""
        pairs = zip(outputs, self.graph.output_axes)
        return [y if axes is None else y.transpose(np.argsort(axes)) for y, axes in pairs]

    def check(self, params: Any, state: Any) -> None:
        """Raise `ParamsError` unless the weights are those of the network."""
        made = plan(self.net, self.specs())
        check_tree(params, made.params, "parameter")
        check_tree(state, made.state, "state")

    def specs(self) -> Any:
        """The abstract inputs of the network."""
        return abstract(self.inputs)

    def zero_state(self) -> Any:
        return jax.tree.map(np.zeros_like, self.state)

    def without_dropout(self) -> Layer:
        """The network for training steps that can be compared: nothing in it draws."""

        def quiet(path: str, inner: Layer) -> Layer:
            if inner.draws and inner.kind.startswith("random_"):  # augmentation
                return identity
            rates = {k: 0.0 for k in _RANDOM if isinstance(getattr(inner, k, None), float)}
            return inner.but(**rates) if rates and inner.draws else inner

        return self.net.map(quiet)


def _spec(x: np.ndarray) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))
