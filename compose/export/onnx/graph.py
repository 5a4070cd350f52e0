"""The graph being written: nodes in order, named by the paths of the layers, and initializers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from compose.export.errors import ExportError
from compose.export.onnx.dims import BATCH, is_symbolic


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph: its name, its shape, in which the batch may be a symbol, and its dtype."""

    name: str
    shape: tuple[Any, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)


Operand = Value | np.ndarray


class Graph:
    """Nodes and initializers of one graph; the body of a loop is a graph of its own with the same names and weights."""

    def __init__(self, opset: int, outer: Graph | None = None):
        self.opset, self.outer = opset, outer
        self.nodes: list[NodeProto] = []
        self.arrays: dict[str, np.ndarray] = outer.arrays if outer else {}
        self.names: Counter[str] = outer.names if outer else Counter()
        self._same: dict[Any, str] = outer._same if outer else {}
        self._batch: list[Value] = outer._batch if outer else []
        self.weight_names: dict[int, tuple[np.ndarray, str]] = outer.weight_names if outer else {}

    def unique(self, name: str) -> str:
        """`name`, with a count from its second use on."""
        self.names[name] += 1
        count = self.names[name]
        return name if count == 1 else self.unique(f"{name}_{count - 1}")

    def input(self, name: str, shape: tuple[Any, ...], dtype: Any) -> Value:
        value = Value(self.unique(name), tuple(shape), np.dtype(dtype))
        if shape and is_symbolic(shape[0]):
            self._batch.append(value)
        return value

    def node(self, op: str, inputs: list, path: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node; operands are values, arrays, or None for what is left out. The names of its outputs."""
        names = ["" if i is None else self.name_of(i, path) for i in inputs]
        while names and not names[-1]:
            names.pop()
        name = self.unique(f"{path}/{op}" if path else op)
        made = [name] if outputs == 1 else [f"{name}:{k}" for k in range(outputs)]
        domain = attributes.pop("domain", "")
        kept = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(op, names, made, name=name, domain=domain, **kept))
        return made

    def name_of(self, operand: Operand, path: str = "") -> str:
        return operand.name if isinstance(operand, Value) else self.constant(operand, path)

    def weigh(self, array: np.ndarray, name: str) -> np.ndarray:
        """The array, remembered under the name that its initializer shall have."""
        self.weight_names[id(array)] = (array, name)
        return array

    def constant(self, array: np.ndarray, path: str = "") -> str:
        """The name of the initializer with these values; equal constants share one, weights have their own."""
        weight = self.weight_names.get(id(array))
        array = np.asarray(array)
        if array.dtype.kind in "Oc":
            raise ExportError("operations on real numbers, since ONNX has no complex ones", "complex numbers")
        key = weight[1] if weight else (array.dtype.name, array.shape, array.tobytes())
        if key not in self._same:
            named = weight[1] if weight else f"{path}/constant" if path else "constant"
            self._same[key] = name = self.unique(named)
            self.arrays[name] = array
        return self._same[key]

    def batch_size(self) -> Value:
        """The size of the batch, of shape `(1,)`."""
        if not self._batch:
            raise ExportError("an input whose first axis is the batch")
        of = self._batch[0]
        root = self
        while root.outer is not None:
            root = root.outer
        for node in root.nodes:
            if node.name == f"{BATCH}/Shape":
                break
        else:
            made = helper.make_node("Shape", [of.name], [f"{BATCH}/Shape"], name=f"{BATCH}/Shape", start=0, end=1)
            root.nodes.insert(0, made)
        return Value(f"{BATCH}/Shape", (1,), np.dtype(np.int64))

    def proto(self, name: str, inputs: list[Value], outputs: list[Value], text: str = "", weights: bool = True) -> Any:
        """The graph as ONNX has it."""
        tensors = [tensor(array, key) for key, array in self.arrays.items()] if weights else []
        graph: GraphProto = helper.make_graph(
            self.nodes, name, [info(v) for v in inputs], [info(v) for v in outputs], tensors
        )
        graph.doc_string = text
        return graph


def tensor(array: np.ndarray, name: str) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def info(value: Value) -> ValueInfoProto:
    dims = [n if isinstance(n, int) else (BATCH if str(n) == BATCH else None) for n in value.shape]
    return helper.make_tensor_value_info(value.name, onnx_dtype(value.dtype), dims)


def onnx_dtype(dtype: Any) -> int:
    """ONNX's number for a dtype. Raises `ExportError` if it has none."""
    try:
        return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    except (KeyError, ValueError, TypeError):
        raise ExportError("a dtype that ONNX has", str(dtype)) from None
