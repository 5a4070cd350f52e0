"""A ported model as users hold it: the network, its weights, its source code, and the proof."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from compose.core.errors import LayerError, PortError
from compose.core.plan import plan
from compose.port.bundle import checkpoint, read, write
from compose.port.codegen.source import source
from compose.port.ir.graph import SourceGraph
from compose.port.ir.reference import Reference
from compose.port.lowering.misfit import misfit
from compose.port.proof.report import Report
from compose.port.proof.verify import verify
from compose.port.result import Result
from compose.port.structure import recover
from compose.port.train.optimizers.optimizer_state import carried

_LINES = 12  # of the network, in `repr`
_WIDTH = 110


@dataclass(frozen=True, repr=False)
class Ported(Result):
    """What `from_torch` and the other front ends return.

    Attributes:
        net: the network, to edit and train like any other.
        params, state: its weights, taken from the source.
        found: the recovered structure, with the map of the weights.
        inputs: the abstract inputs that the network was planned with.
        graph: the source as the front end read it.
        reference: the source model in float64, for proofs.
        frontend: the front end that read the source, as `"torch"`.
    """

    @classmethod
    def of(cls, graph: SourceGraph, reference: Reference, frontend: str, repeats: bool = True) -> Ported:
        """Recover the structure of a source graph and load its weights."""
        examples = zip(reference.inputs(), graph.input_axes)
        specs = tuple(_spec(x if axes is None else x.transpose(axes)) for x, axes in examples)
        try:
            found = recover(graph, *specs, repeats=repeats)
        except LayerError as e:
            raise misfit(graph, specs, e) from e
        params, state = found.weights.load(graph.arrays, jax.numpy.asarray)
        return cls(found.net, params, state, found, specs, graph, reference, frontend)

    def __repr__(self) -> str:
        """A summary of a few lines."""
        sizes = [np.size(array) for array in jax.tree.leaves(self.params)]
        outputs = plan(self.net, self.specs()).out
        lines = str(self.net).splitlines()
        shown = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in lines[:_LINES]]
        more = [f"… {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []
        return "\n".join(
            [
                f"{self.graph.name}, ported from {self.frontend}: {sum(sizes):,} parameters in {len(sizes)} arrays",
                f"  inputs   {_shapes(self.inputs)}",
                f"  outputs  {_shapes(outputs)}",
                *(f"  {line}" for line in shown + more),
                "  .net is the network, .source its Python code, .weights the map of its weights; .verify() proves it",
            ]
        )

    @property
    def source(self) -> str:
        """A Python file that builds `net`, written for a reader."""
        return source(self.net, words=self.found.words)

    def verify(
        self,
        level: str | None = None,
        optimizer: Any = None,
        *,
        seed: int = 0,
        tolerance: float = 1e-10,
        steps: int = 20,
        also: Sequence[Any] = (),
    ) -> Report:
        """Prove the port equal to the source, in float64 with perturbed weights and random cotangents.

        Outputs are compared at another batch size too, and at other lengths where both take them. Where the model
        chooses by data, variants of the examples are tried until both branches of every choice were compared.

        Args:
            level: `"weights"` (each used once), `"outputs"`, `"gradients"` (of all weights and inputs), `"step"`
                (one training step, batch-norm state included) or `"steps"`; each includes those before. By default
                `"step"` for a network that trains, else `"gradients"`.
            optimizer: the source framework's, over the source model's parameters; SGD with momentum by default.
            seed: for the perturbation and the cotangents.
            tolerance: the largest relative error.
            steps: the number of steps for `"steps"`.
            also: further inputs, each an array or a tuple of them as the port was made with, such as those that take
                a branch no variant takes.

        Raises `PortError` on a mismatch, with the table and the first layer that differs.
        """
        return verify(self, level, optimizer, seed=seed, tolerance=tolerance, steps=steps, also=also)

    def save(self, folder: str | Path, report: Report | None = None) -> None:
        """Write `model.py`, the weights, `report.json` and a test that needs nothing but `compose`.

        `port.load(folder)` reads it.

        Args:
            report: a report that `verify` returned; by default the port is verified.
        """
        place = Path(folder)
        if place.exists() and not place.is_dir():
            raise PortError(f"a folder to write, got the file {place}")
        write.save(self, place, self.source, report or self.verify())

    def to_torch_state_dict(self, params: Any, state: Any = None) -> dict[str, Any]:
        """The PyTorch model's state dict with these weights, for `load_state_dict`; other entries keep their values."""
        return _exporter("torch").to_torch_state_dict(self, params, state)

    def to_keras_weights(self, params: Any, state: Any = None) -> list[np.ndarray]:
        """The Keras model's weights, for `set_weights`; other entries keep their values."""
        return _exporter("keras").to_keras_weights(self, params, state)

    def to_flax_variables(self, params: Any, state: Any = None) -> dict[Any, Any]:
        """The Linen module's collections, or the NNX module's pure dict, with these weights.

        For NNX: `nnx.replace_by_pure_dict(nnx.state(module), ...)`, then `nnx.update`.
        """
        return _exporter("flax").to_flax_variables(self, params, state)

    def to_jax_params(self, params: Any, state: Any = None, like: Any = None) -> Any:
        """The tree of parameters of the JAX function with these weights.

        Args:
            like: a tree of the same structure, for a port that `port.load` read.
        """
        return _exporter("jax").to_jax_params(self, params, state, like)

    def to_tf_variables(self, params: Any, state: Any = None) -> list[tuple[Any, np.ndarray]]:
        """Each TensorFlow variable with its new value, to `assign`; in TF1, to `load` into the session."""
        return _exporter("tensorflow").to_tf_variables(self, params, state)

    def load_checkpoint(self, path: str | Path, prefix: str = "") -> tuple[Any, Any]:
        """Parameters and state from a safetensors file with the source's names.

        Args:
            prefix: of every name in the file, as `"module."`.

        Raises `FileError` for a file of another kind (a pickle is never loaded), and for tensors that are missing,
        unexpected, or of another shape or dtype than the source's; narrower floats are widened.
        """
        return checkpoint.load_checkpoint(self, path, prefix)

    def optimizer(self, source: Any, learning_rate: Any = None, steps: int | None = None) -> tuple[Any, Any]:
        """The optax transformation of an optimizer of the source model, and its state with the optimizer's moments.

        Args:
            source: the optimizer, over the parameters of the model that was ported.
            learning_rate: instead of the optimizer's own, as for `port.optimizer`.
            steps: the number of steps taken, for torch's SGD, which does not count them.

        Raises `ConfigError` for moments that the weight map cannot carry: several groups of parameters, factored
        moments.
        """
        return carried(self, source, learning_rate, steps)

    def unstacked(self) -> Ported:
        """The same port with equal blocks written out instead of stacked in a `repeat`."""
        if not self.graph.ops:
            raise PortError("a port in the process that made it, to recover the structure again")
        return Ported.of(self.graph, self.reference, self.frontend, repeats=False)


def load(folder: str | Path) -> Ported:
    """A port from the folder that `save` wrote: the network, its weights, and their map to the source's form.

    The source's framework is not needed. Without the source model, everything works but `verify` and `save`. Custom
    functions and layers must be registered first.

    Raises `FileError` for files that are missing, damaged or from different ports.
    """
    return Ported(**vars(read.load(folder)))


def _exporter(frontend: str) -> Any:
    """The module of a front end that writes weights in its framework's form; front ends import this module."""
    return importlib.import_module(f"compose.port.frontends.{frontend}.export")


def _spec(x: np.ndarray) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))


def _shapes(specs: Any) -> str:
    return ", ".join(f"{spec.shape} {spec.dtype}" for spec in jax.tree.leaves(specs))
