"""Activations that exporters write out."""

from __future__ import annotations

import math

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import chain, factors, made_by, own, replace, with_number


def gate(graph: Graph, node: Node) -> None:
    """`x * sigmoid(x)`, `x * tanh(softplus(x))`, `x * hard_sigmoid(x)`."""
    if node.op != "onnx.Mul":
        return
    for x, y in (node.inputs, node.inputs[::-1]):
        found = chain(graph, y, "onnx.Sigmoid") or chain(graph, y, "onnx.Tanh", "onnx.Softplus")
        found = found or chain(graph, y, "onnx.HardSigmoid")
        if found and found[0].inputs[0] == x and own(graph, y) is not None:
            op = {"onnx.Sigmoid": "onnx.compose.Silu", "onnx.Softplus": "onnx.Mish"}.get(found[0].op, "onnx.HardSwish")
            if op != "onnx.HardSwish" or (found[0].get("alpha"), found[0].get("beta", 0.5)) == (1 / 6, 0.5):
                replace(graph, [*found, node], node.but(op=op, inputs=(x,)))
                return


def hard_sigmoid(graph: Graph, node: Node) -> None:
    """`clip(x + 3, 0, 6) / 6`."""
    number, names, nodes = factors(graph, node.outputs[0])
    clip = own(graph, names[0], "onnx.Clip") if len(names) == 1 and abs(number - 1 / 6) < 1e-12 else None
    if clip is None or [graph.number(n) for n in clip.inputs[1:]] != [0, 6]:
        return
    moved = with_number(graph, own(graph, clip.inputs[0]), "onnx.Add", 3.0)
    if moved is not None:
        alone = [n for n in (own(graph, clip.inputs[0]), clip) if n is not None]
        made = node.but(op="onnx.HardSigmoid", inputs=(moved[0],), attributes={"alpha": 1 / 6, "beta": 0.5})
        replace(graph, [*alone, *nodes], made)


def log_sigmoid(graph: Graph, node: Node) -> None:
    """`log(sigmoid(x))`."""
    found = chain(graph, node.outputs[0], "onnx.Log", "onnx.Sigmoid")
    if found:
        replace(graph, found, node.but(op="onnx.compose.LogSigmoid", inputs=found[0].inputs))


def softplus(graph: Graph, node: Node) -> None:
    """torch's, which above a threshold is `x` itself: `where(beta x > threshold, x, softplus(beta x) / beta)`."""
    greater = own(graph, node.inputs[0], "onnx.Greater") if node.op == "onnx.Where" else None
    bound = None if greater is None else graph.number(greater.inputs[1])
    if greater is None or bound is None:
        return
    x, scaled = node.inputs[1], greater.inputs[0]
    beta, names, nodes = factors(graph, scaled)
    number, rest, outer = factors(graph, node.inputs[2])
    plus = made_by(graph, rest[0], "onnx.Softplus") if len(rest) == 1 else None
    if plus is not None and plus.inputs[0] == scaled and names == [x] and math.isclose(number * beta, 1):
        made = node.but(op="onnx.compose.Softplus", inputs=(x,), attributes={"beta": beta, "threshold": bound})
        replace(graph, [*nodes, greater, plus, *outer, node], made)


def gelu(graph: Graph, node: Node) -> None:
    """`x / 2 * (1 + erf(x / √2))`, and its form with tanh, in whatever order they are multiplied."""
    number, names, nodes = factors(graph, node.outputs[0]) if node.op in ("onnx.Mul", "onnx.Div") else (0, [], [])
    if len(names) != 2 or abs(number - 0.5) > 1e-12:
        return
    for x, y in (names, names[::-1]):
        sum_of = own(graph, y, "onnx.Add")
        inner = with_number(graph, sum_of, "onnx.Add", 1.0)
        curve = own(graph, inner[0]) if inner is not None else None
        if sum_of is None or curve is None or curve.op not in ("onnx.Erf", "onnx.Tanh"):
            continue
        inside = _of_erf(graph, curve, x) if curve.op == "onnx.Erf" else _of_tanh(graph, curve, x)
        if inside is not None:
            form = {"approximate": "tanh" if curve.op == "onnx.Tanh" else "none"}
            gone = [*inside, curve, sum_of, *nodes[:-1], nodes[-1]]
            replace(graph, gone, node.but(op="onnx.compose.Gelu", inputs=(x,), attributes=form))
            return


def _of_erf(graph: Graph, curve: Node, x: str) -> list[Node] | None:
    number, names, nodes = factors(graph, curve.inputs[0], inner=True)
    return nodes if names == [x] and math.isclose(number, 0.5**0.5, rel_tol=1e-9) else None


def _of_tanh(graph: Graph, curve: Node, x: str) -> list[Node] | None:
    number, names, nodes = factors(graph, curve.inputs[0], inner=True)
    sum_of = own(graph, names[0], "onnx.Add") if len(names) == 1 else None
    if sum_of is None or not math.isclose(number, (2 / math.pi) ** 0.5, rel_tol=1e-9) or x not in sum_of.inputs:
        return None
    small, cube, more = factors(graph, next(n for n in sum_of.inputs if n != x), inner=True)
    power = own(graph, cube[0], "onnx.Pow") if len(cube) == 1 else None
    cubed = cube == [x] * 3 or (power is not None and power.inputs[0] == x and graph.number(power.inputs[1]) == 3)
    return [*([power] if power else []), *more, sum_of, *nodes] if cubed and math.isclose(small, 0.044715) else None
