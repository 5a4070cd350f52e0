"""From a folded graph to layers: node by node, tracking layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from onnx import helper

from compose.core.errors import PortError
from compose.port.frontends.onnx.batch import BatchError
from compose.port.frontends.onnx.constant_folding import Graph, evaluated
from compose.port.frontends.onnx.each_example import with_rows
from compose.port.frontends.onnx.functions import is_function
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.operands import Operands
from compose.port.frontends.onnx.registry import named_rule
from compose.port.ir.graph import SourceGraph
from compose.port.lowering.base import Place
from compose.port.lowering.unread import unread_parts
from compose.port.lowering.unsupported import NoValue
from compose.port.lowering.values import Pending, Value, Weight, channels_last, identity_axes

_IMAGE_OPS = {
    f"onnx.{op}" for op in (
        "Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "MaxPool",
        "AveragePool", "Pad", "GlobalAveragePool", "GlobalMaxPool", "PRelu", "Resize", "DepthToSpace", "SpaceToDepth",
    )
}  # fmt: skip
_REPEATS = ("onnx.Expand", "onnx.Tile")
_BY_SHAPE = ("onnx.Reshape", *_REPEATS)  # the numbers of their second input say a shape
_READ_IN_PART = ("onnx.Gather", "onnx.Squeeze", "onnx.compose.Ways", "onnx.If")


class FormError(PortError):
    """A form of an operation that no rule says, where the standard writes the operation in others.

    Attributes:
        output: the first output of the node.
        refusal: what the rule says.
    """

    def __init__(self, output: str, refusal: PortError):
        super().__init__(str(refusal))
        self.output, self.refusal = output, refusal


class OnnxLowering(Operands):
    """The lowering of one file.

    Attributes:
        arrays: the initialisers as the file stores them.
        from_torch: whether PyTorch exported it.
        apart: the weights that are values from the start, since layers which differ read them.
        batch: the batch size during lowering.
    """

    example = "'onnx.Name'"

    def __init__(
        self, graph: Graph, arrays: dict[str, np.ndarray], from_torch: bool, channels_first: bool,
        apart: frozenset[str] = frozenset(),
    ):  # fmt: skip
        super().__init__(graph)
        self.apart = apart
        self.arrays, self.from_torch, self.channels_first = arrays, from_torch, channels_first
        self._before_reshape: dict[Value, Value] = {}
        self.batch = graph.shapes[graph.inputs[0]][0] if graph.shapes[graph.inputs[0]] else 0

    def run(self, name: str) -> SourceGraph:
        """Lower every node; those without a rule are collected in `missing`."""
        inputs = [self._input(name) for name in self.graph.inputs]
        for node in self.graph.nodes[:1]:
            self.node = node
            self.env.update({n: self.as_value(self.env[n]) for n in self.graph.weights if n in self.apart})
        self.walk(self.graph.nodes)
        leaves: list[Value] = [] if self.missing else [self._output(self.env.get(n)) for n in self.graph.outputs]
        self._check_origins()
        axes = lambda v: None if v.axes == identity_axes(v.ndim) else v.axes
        outputs, arrays = tuple(v.index for v in leaves), self._arrays()
        return SourceGraph(
            tuple(v.index for v in inputs), tuple(self.ops), outputs[0] if len(outputs) == 1 else outputs,
            arrays, name, tuple(map(axes, inputs)), tuple(map(axes, leaves)), tuple(unread_parts(arrays, self.ops)),
        )  # fmt: skip

    # Hooks.

    def place(self) -> Place:
        return Place(self.node.path, self.node.classes, self.node.where)

    def location(self) -> str:
        inside = f", in {'/'.join(self.node.path)}" if self.node.path else ""
        return f"at {self.node.where} ({self.node.op}){inside}"

    # What rules call.

    def record_reshape(self, after: Value, before: Value) -> None:
        """Record which value was reshaped, so that two reshapes in a row become one."""
        self._before_reshape[after] = before

    def before_reshape(self, x: Value) -> Value | None:
        """The value that was reshaped to this one."""
        return self._before_reshape.get(x)

    # The walk.

    def walk(self, nodes: Iterable[Node]) -> None:
        """Lower nodes, one after the other."""
        for node in nodes:
            self.node = node
            results = self._call(node)
            self.env.update(zip(node.outputs, results if isinstance(results, tuple) else (results,)))

    def _input(self, name: str) -> Value:
        shape = self.graph.shapes[name]
        image = not self.channels_first and len(shape) in (3, 4, 5) and self._feeds_image(name)
        value = Value(self.new_index(), shape, channels_last(len(shape)) if image else identity_axes(len(shape)))
        self.env[name] = value
        return value

    def _call(self, node: Node) -> Any:
        unread = next((name for name in node.inputs if name and self.env.get(name) is None), None)
        if unread is not None:
            raise PortError(f"results of layers that can be read here, got {unread} at {node.where} ({node.op})")
        inputs = [self.env[name] for name in node.inputs]
        if node.op not in _READ_IN_PART:
            inputs = [x.value() if isinstance(x, Pending) else x for x in inputs]
        rule = named_rule(node.op)
        if not any(isinstance(x, (Value, Pending)) for x in inputs):
            if node.op not in _REPEATS and any(map(self.is_repeated, inputs)):
                with self.located():
                    inputs = with_rows(self, node, inputs)
            if isinstance(inputs, Weight):
                return inputs
            if not any(isinstance(x, Value) for x in inputs):
                return self._of_weights(node, inputs, rule)
        if rule is None:
            self.lacks(_operation(node, self.graph), node.where)
            first = next(x for x in inputs if isinstance(x, Value))
            shapes = [self.graph.shapes[name] for name in node.outputs]
            return tuple(Value(first.index, shape, identity_axes(len(shape))) for shape in shapes)
        with self.located():
            try:
                return rule(self, node, *inputs)
            except BatchError:
                raise
            except PortError as e:
                if node.outputs[0] not in self.graph.expand and is_function(node.op, self.graph.opset):
                    e.add_note(self.location())
                    raise FormError(node.outputs[0], e) from e
                raise

    def _of_weights(self, node: Node, inputs: list, rule: Callable | None) -> Any:
        """Weights that only move stay the file's; what is computed from them becomes a weight of its own."""
        self.check_batch(*(inputs[:1] if node.op in _BY_SHAPE else inputs))
        if rule is not None and getattr(rule, "of_weights", False):
            result = rule(self, node, *inputs)
            if result is not None:
                return result
        if node.op == "onnx.Reshape":  # whose shape may be said elsewhere
            return self.own(node.outputs[0], self._array(inputs[0]).reshape(self.shape), inputs[0])
        if node.op == "onnx.compose.Repeat":
            array = self._array(inputs[0])
            for axis, times in node.get("times").items():
                array = np.repeat(array, times, axis)
            return self.own(node.outputs[0], array, inputs[0])
        kind = node.op.removeprefix("onnx.")  # written again, since passes may have moved its inputs
        proto = node.proto if "." in kind else helper.make_node(kind, node.inputs, node.outputs, **node.attributes)
        given = {n: self._array(x) for n, x in zip(node.inputs, inputs) if n}
        arrays = evaluated(self.graph, node.but(proto=proto), given)
        return tuple(self.own(n, a, *inputs) if _float(a) else a for n, a in zip(node.outputs, arrays))

    def _array(self, x: Any) -> np.ndarray:
        """The numbers of a weight or a constant; those of a weight that is computed from others are not used yet."""
        return x.array if isinstance(x, Weight) and x.view.source in self.derived else self.known(x)

    def _check_origins(self) -> None:
        """Raise `NoValue` for a weight that layers read in several forms, each of which would learn by itself."""
        taken = {view.source for op in self.ops for view in op.views()} | (self.constant & self.derived.keys())
        forms: dict[str, set[str]] = {}
        for name in taken:
            for source in self.origins.get(name, {name}):
                forms.setdefault(source, set()).add(name)
        several = [n for n, read in forms.items() if len(read) > 1 and n in self.arrays and self.arrays[n].size > 1]
        if several:
            raise NoValue(f"a weight that layers read in one form, got {several[0]!r} in several", *several)

    def _output(self, output: Any) -> Value:
        if isinstance(output, np.ndarray):
            raise PortError("outputs that depend on the input, got a constant")
        value = self.whole(self.as_value(output) if isinstance(output, Weight) else self.value(output))
        return value if not self.channels_first and value.axes == channels_last(value.ndim) else self.as_source(value)

    def _arrays(self) -> dict[str, np.ndarray]:
        """The weights that the nodes read, as the file has them."""
        read = {name for node in self.graph.nodes for name in node.inputs} - self.constant
        taken = {view.source for op in self.ops for view in op.views()}
        read -= {source for name in taken & self.origins.keys() for source in self.origins[name]}
        kept = {n: a for n, a in self.arrays.items() if n in taken or (n in read and n in self.graph.weights)}
        return kept | {n: a.astype(np.float32) for n, a in self.derived.items() if n in taken}

    def _feeds_image(self, name: str, depth: int = 0) -> bool:
        """Whether an input's first use that cares for layout is one that wants channels."""
        for node in self.graph.readers(name):
            either = node.op in ("onnx.Pad", "onnx.PRelu") and len(self.graph.shapes[name]) < 4
            if node.op in _IMAGE_OPS and not either:
                return True
            if any(name in inner.inputs and inner.op in _IMAGE_OPS for way in node.ways for inner in way.nodes):
                return True
            alike = self.graph.shapes[node.outputs[0]] == self.graph.shapes[name]
            if alike and depth < 20 and self._feeds_image(node.outputs[0], depth + 1):
                return True
        return False


def _operation(node: Node, graph: Graph) -> str:
    domain, _, _ = node.op.rpartition(".")
    version = next((o.version for o in graph.opset if o.domain == ("" if domain == "onnx" else domain)), "?")
    return f"{node.op} (domain {'ai.onnx' if domain == 'onnx' else domain}, opset {version})"


def _float(a: Any) -> bool:
    return isinstance(a, np.ndarray) and np.issubdtype(a.dtype, np.floating)
