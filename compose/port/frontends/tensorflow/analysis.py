"""What is known of a graph before it is lowered: constants, what depends on what, formulas, what is needed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.batch import FreeBatch
from compose.port.frontends.tensorflow.capture import Captured, Variable
from compose.port.frontends.tensorflow.constant_folding import Known
from compose.port.frontends.tensorflow.float64.graph import Exact
from compose.port.frontends.tensorflow.passes.dropout import RANDOM
from compose.port.frontends.tensorflow.passes.idioms import Idiom, average, idiom, log_sum
from compose.port.frontends.tensorflow.passes.polynomials import Polynomials
from compose.port.frontends.tensorflow.passes.recurrent import recurrent

_SHAPES = ("Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike")
_RENAMED = ("Identity", "Snapshot", "Reshape", "ExpandDims", "Squeeze", "Cast", "Transpose", "IdentityN")


class Facts:
    """One graph in float64, as TensorFlow holds it.

    Attributes:
        ops: its operations, each after those that it reads.
        variables: by the tensor that stands for one.
        depends: for every tensor what it depends on: "data", a "weight" alone and unchanged but in shape, or "".
        uses: how often each tensor is read.
        idioms: tensors that are a layer by their formula.
        wanted: tensors that the outputs need, and that are no constants.
        batch: which constants follow from the size of the batch; None for a graph of one size.
        apart: the variables that are read as values from the start.
    """

    def __init__(
        self, exact: Exact, captured: Captured, second: Exact | None = None, apart: frozenset[str] = frozenset()
    ):
        self.exact, self.apart = exact, apart
        self.batch = None if second is None else FreeBatch(exact, second)
        self.graph = exact.imported()
        self.known = Known(self.graph)
        self.ops = self.graph.get_operations()
        by_name = {v.name: v for v in captured.variables.values()}
        self.variables: dict[str, Variable] = {f"{node}:0": by_name[name] for node, name in exact.weights.items()}
        self.uses = Counter(t.name for op in self.ops for t in op.inputs) + Counter(exact.outputs)
        self.depends = self._dependence()
        self.idioms = self._idioms()
        self.wanted = self._wanted()

    def constant(self, tensor: Any) -> np.ndarray | None:
        """The value of a tensor that depends on no data, else None."""
        if self.depends[tensor.name]:
            return None
        value = self.known.value(tensor)
        return value if self.batch is None or value is None else self.batch.alike(tensor, value)

    def number(self, tensor: Any) -> np.ndarray | None:
        """As `constant`; None for one that follows from the batch too, unless it corrects a variance."""
        value = self.constant(tensor)
        if self.batch is None or value is None or not self.batch.varies(tensor, value):
            return value
        return value if self.batch.corrects(tensor, value) else None

    def shape(self, tensor: Any) -> tuple[int, ...]:
        """Raises `PortError` where a size is open."""
        if not tensor.shape.is_fully_defined():
            raise PortError(f"sizes that depend on shapes alone, got {tensor.shape} of {tensor.name}")
        return tuple(tensor.shape.as_list())

    def close(self) -> None:
        self.known.close()
        if self.batch is not None:
            self.batch.close()

    def _dependence(self) -> dict[str, str]:
        made: dict[str, str] = {}
        for op in self.ops:
            kinds = [made[t.name] for t in op.inputs]
            kind = "data" if any(kinds) or op.name in self.exact.inputs or op.type in RANDOM else ""
            renamed = op.type in _RENAMED and kinds[0] == "weight" and not any(kinds[1:])
            variable = self.variables.get(f"{op.name}:0")
            if variable is not None:
                kind = "data" if variable.name in self.apart else "weight"
            elif renamed:
                kind = "weight"
            elif op.type in _SHAPES and all(t.shape.is_fully_defined() for t in op.inputs):
                kind = ""
            made.update({t.name: kind for t in op.outputs})
        return made

    def _idioms(self) -> dict[str, Idiom]:
        weights = {name for name, kind in self.depends.items() if kind == "weight"}
        is_layer = lambda p, shape: shape.rank is not None and idiom(p, shape.as_list()) is not None
        polynomials = Polynomials(self.ops, weights, self.number, self.exact.idioms, is_layer)
        found = dict(self.exact.idioms)
        nodes = {name: node for node, name in self.exact.weights.items()}
        news = {f"{nodes[name]}:0": polynomials[tensor] for name, tensor in self.exact.updates.items()}
        averages = [made for variable, p in news.items() if (made := average(variable, p)) is not None]
        for name, formula in polynomials.formulas.items():
            tensor = self.graph.get_tensor_by_name(name)
            made = idiom(formula, tensor.shape.as_list(), averages) if name in polynomials.layers else None
            if made is not None:
                found.setdefault(name, made)
        for op in self.ops:
            made = log_sum(op)
            axes = None if made is None else self.constant(made[1])
            if made is not None and axes is not None:
                places = tuple(int(a) % made[0].shape.rank for a in np.ravel(axes))
                options = {"axis": places[0] if len(places) == 1 else places} | ({"keepdims": True} if made[2] else {})
                found[op.outputs[0].name] = Idiom(word("ops.logsumexp")(**options), made[0].name)
        for loop in self.exact.loops:
            found |= recurrent(loop, self)
        return found

    def _wanted(self) -> set[str]:
        wanted: set[str] = set()
        stack = list(self.exact.outputs)
        while stack:
            name = stack.pop()
            if name in wanted or not self.depends[name]:
                continue
            wanted.add(name)
            op = self.graph.get_tensor_by_name(name).op
            stack += self.idioms[name].reads if name in self.idioms else [t.name for t in op.inputs]
        return wanted
