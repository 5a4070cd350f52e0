"""An ONNX model as the proof needs it: onnx's own reference in float64, on given weights."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpFunction

from compose.core.errors import PortError
from compose.port.frontends.onnx.literals import meant
from compose.port.frontends.onnx.reference_ops import EXACT
from compose.port.ir.graph import SourceGraph
from compose.port.ir.reference import Arrays
from compose.port.proof.finite_differences import Differences


class OnnxModel:
    """See `compose.port.ir.reference.Reference`; a file has no gradients, so `gradients` takes differences."""

    trains = False

    def __init__(self, model: onnx.ModelProto, examples: list[np.ndarray], graph: SourceGraph):
        self.examples, self.names = examples, [x.name for x in model.graph.input]
        self.run = _evaluator(model, set(graph.arrays))
        self._sizes = [[d.dim_value for d in x.type.tensor_type.shape.dim] for x in model.graph.input]

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    def takes(self, inputs: list[np.ndarray]) -> bool:
        """Whether the file says that it takes these sizes; its evaluator does not look."""
        pairs = ((n, size) for x, sizes in zip(inputs, self._sizes) for n, size in zip(x.shape[1:], sizes[1:]))
        return all(size in (0, n) for n, size in pairs)

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        wide = {name: np.asarray(a, np.float64) for name, a in arrays.items()}
        with np.errstate(all="ignore"):
            return self.run.run(None, {**dict(zip(self.names, inputs)), **wide})  # pyright: ignore[reportReturnType]

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Differences:
        return Differences(self.outputs, arrays, inputs, seed)

    def train(self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]) -> NoReturn:
        raise PortError(
            "the level 'gradients' or one before it: an ONNX file has neither loss nor training mode, so no training "
            "step of it can be compared; port the model from its own framework to prove one"
        )

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        wide = {name: np.asarray(a, np.float64) for name, a in arrays.items()}
        made: Any = self.run.run(None, {**dict(zip(self.names, inputs)), **wide}, intermediate=True)
        return [v for v in made.values() if isinstance(v, np.ndarray) and np.issubdtype(v.dtype, np.floating)]

    def default_optimizer(self) -> NoReturn:
        return self.train({}, [], 0, None, [])


def _evaluator(model: onnx.ModelProto, weights: set[str]) -> ReferenceEvaluator:
    """The model with the weights left to be given, and its attributes as they were meant."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    nodes = [node for node in made.graph.node if not weights & set(node.output)]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    return _exact(ReferenceEvaluator(made, new_ops=EXACT))


def _exact(run: ReferenceEvaluator) -> ReferenceEvaluator:
    """With attributes as they were meant, in the operations that onnx defines by others too."""
    for node in run.rt_nodes_:
        for name in ("cst", *node.attributes_names_):
            value = getattr(node, name, None)
            if isinstance(value, (float, np.floating)):
                setattr(node, name, meant(float(value)))
            elif isinstance(value, np.ndarray) and value.dtype == np.float32 and value.size == 1:
                setattr(node, name, np.full(value.shape, meant(value.item())))
        if isinstance(node, OpFunction) and hasattr(node.impl_, "rt_nodes_"):
            _exact(node.impl_)
    return run
