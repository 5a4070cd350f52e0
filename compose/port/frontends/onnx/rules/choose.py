"""If by data."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.lower import OnnxLowering
from compose.port.frontends.onnx.model import Node, Way
from compose.port.frontends.onnx.registry import rule
from compose.port.lowering.choose import chosen
from compose.port.lowering.values import Value


@rule("onnx.If")
def _if(low: OnnxLowering, node: Node, condition: Value, *given):
    if condition.ndim:  # of one element
        condition = low.emit(word("ops.any"), condition, shape=(), axes=())
    axes: list[tuple[int, ...]] = []
    ways = [lambda way=way: _results(low, node, way, axes) for way in node.ways]
    try:
        return tuple(chosen(low, condition, (ways[0], ways[1])))
    finally:
        low.node = node


def _results(low: OnnxLowering, node: Node, way: Way, axes: list[tuple[int, ...]]) -> list[Value]:
    """What a branch returns, in the layout that its twin returned; whole numbers in one dtype."""
    low.env.update({own: low.env[name] for own, name in zip(way.given, node.inputs[1:])})
    low.walk(way.nodes)
    low.node = node
    made = []
    for name, output in zip(way.outputs, node.outputs):
        x = low.whole(low.as_value(low.env[name]))
        if x.shape != low.graph.shapes[output]:
            raise PortError(f"branches whose results are as large as the file says, at {node.where} ({node.op})")
        made.append(low.emit(word("ops.astype")(dtype=word("int32")), x, shape=x.shape) if low.counts(output) else x)
    twins = axes or [x.axes for x in made]
    axes[:] = twins
    return [low.moved(x, to).but(unflat=None) for x, to in zip(made, twins)]
