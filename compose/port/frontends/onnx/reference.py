"""An ONNX model as the proof needs it: onnx's own reference in float64, on given weights, and onnxruntime beside it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from compose.core.errors import PortError
from compose.port.frontends.onnx.exact import evaluator
from compose.port.ir.graph import SourceGraph
from compose.port.ir.reference import Arrays, Witness
from compose.port.proof.finite_differences import Differences


class OnnxModel:
    """See `compose.port.ir.reference.Reference`; a file has no gradients, so `gradients` takes differences.

    Args:
        forms: the model in float64 as it came, and, where that differs, as it was read; the first that onnx's
            reference can run is compared with.
        source: the file for onnxruntime; None if it is in training mode.
    """

    trains = False

    def __init__(self, forms: list[onnx.ModelProto], examples: list[np.ndarray], graph: SourceGraph, source: Any):
        self.examples, self.names = examples, [x.name for x in forms[0].graph.input]
        self.forms, self.arrays, self.source = forms, graph.arrays, source
        self.sizes = [[d.dim_value for d in x.type.tensor_type.shape.dim] for x in forms[0].graph.input]

    @functools.cached_property
    def run(self) -> ReferenceEvaluator:
        """The model with the weights left to be given."""
        *others, last = self.forms
        for form in others:
            made = {name for node in form.graph.node for name in node.output}
            if not set(self.arrays) <= made | {tensor.name for tensor in form.graph.initializer}:
                continue
            try:
                run = _evaluator(form, set(self.arrays))
                run.run(None, self._given(self.arrays, self.inputs()))
                return run
            except Exception:  # an operation of an old opset that onnx's reference does not know
                continue
        return _evaluator(last, set(self.arrays))

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    def takes(self, inputs: list[np.ndarray]) -> bool:
        """Whether the file says that it takes these sizes; its evaluator does not look."""
        pairs = ((n, size) for x, sizes in zip(inputs, self.sizes) for n, size in zip(x.shape, sizes))
        return all(size in (0, n) for n, size in pairs)

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            return self.run.run(None, self._given(arrays, inputs))  # pyright: ignore[reportReturnType]

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Differences:
        return Differences(self.outputs, arrays, inputs, seed)

    def train(self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]) -> NoReturn:
        raise PortError(
            "the level 'gradients' or one before it: an ONNX file has neither loss nor training mode, so no training "
            "step of it can be compared; port the model from its own framework to prove one"
        )

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        made: Any = self.run.run(None, self._given(arrays, inputs), intermediate=True)
        return [v for v in made.values() if isinstance(v, np.ndarray) and np.issubdtype(v.dtype, np.floating)]

    def default_optimizer(self) -> NoReturn:
        return self.train({}, [], 0, None, [])

    def witness(self) -> Witness | None:
        """What onnxruntime computes of the file; None where it is not installed, or does not run it."""
        try:
            import onnxruntime
        except ImportError:
            return None
        if self.source is None:
            return None
        source = self.source if isinstance(self.source, (str, Path)) else self.source.SerializeToString()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
            kept = {o.name for o in session.get_outputs()}
            wanted = [(i, o.name) for i, o in enumerate(self.forms[0].graph.output) if o.name in kept]
            made = session.run([name for _, name in wanted], dict(zip(self.names, self.examples)))
        except Exception:  # its errors have no class of their own
            return None
        return Witness("onnxruntime", {i: np.asarray(y) for (i, _), y in zip(wanted, made)})

    def _given(self, arrays: Arrays, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
        wide = {name: np.asarray(a, np.float64) for name, a in arrays.items()}
        return {**dict(zip(self.names, inputs)), **wide}


def _evaluator(model: onnx.ModelProto, weights: set[str]) -> ReferenceEvaluator:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    nodes = [node for node in made.graph.node if not weights & set(node.output)]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    return evaluator(made)
