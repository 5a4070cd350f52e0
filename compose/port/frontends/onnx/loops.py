"""Loop and Scan with a known number of iterations, unrolled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from compose.port.frontends.onnx.float64 import widened_tensor
from compose.port.frontends.onnx.functions import Place, read_from_outside, written
from compose.port.frontends.onnx.model import Node

LOOPS = ("onnx.Loop", "onnx.Scan")
_TURNS = 64  # a loop of more is not written out

Walk = Callable[[Any, Iterable[onnx.NodeProto]], None]


def unrolled(graph: Any, node: Node, walk: Walk) -> bool:
    """Walk the iterations of a loop; False, with nothing walked, if their number depends on data or is too large."""
    return _scan(graph, node, walk) if node.op == "onnx.Scan" else _loop(graph, node, walk)


def _scan(graph: Any, node: Node, walk: Walk) -> bool:
    count = node.get("num_scan_inputs")
    if not count or graph.vague.intersection(node.inputs):
        return False
    states, xs = list(node.inputs[:-count]), node.inputs[-count:]
    axes = node.get("scan_input_axes") or (0,) * count
    if any(axis >= len(graph.shapes[x]) for x, axis in zip(xs, axes)):
        return False
    lengths = {graph.shapes[x][axis] for x, axis in zip(xs, axes)}
    if len(lengths) != 1 or not 0 < max(lengths) <= _TURNS:
        return False
    length, back = max(lengths), node.get("scan_input_directions") or (0,) * count
    rows = []
    for turn in range(length):
        parts, before = [], []
        for i, (x, axis) in enumerate(zip(xs, axes)):
            at, part = (f"{node.outputs[0]}/{turn}/{what}{i}" for what in ("place", "part"))
            before += [_constant(at, np.int64(length - 1 - turn if back[i] else turn))]
            before += [helper.make_node("Gather", [x, at], [part], axis=axis)]
            parts.append(part)
        walk(graph, before)
        outputs = _turn(graph, node, turn, [*states, *parts], walk)
        states, row = outputs[: len(states)], outputs[len(states) :]
        rows.append(row)
    _end(graph, node, states, rows, walk)
    return True


def _loop(graph: Any, node: Node, walk: Walk) -> bool:
    times, going, *states = (*node.inputs, "", "")[: max(len(node.inputs), 2)]
    most = graph.constants.get(times) if times else np.array(_TURNS + 1)
    if most is None or (going and going not in graph.constants) or graph.vague.intersection(node.inputs):
        return False
    if (times and int(most.item()) > _TURNS) or not _settled(node.get("body")):
        return False
    rows: list[list[str]] = []
    if not going:
        going = f"{node.outputs[0]}/going"
        walk(graph, [_constant(going, np.array(True))])
    for turn in range(int(most.item())):
        if not graph.constants[going].item():
            break
        number = f"{node.outputs[0]}/{turn}/number"
        walk(graph, [_constant(number, np.int64(turn))])
        going, *outputs = _turn(graph, node, turn, [number, going, *states], walk)
        states, row = outputs[: len(states)], outputs[len(states) :]
        rows.append(row)
    _end(graph, node, states, rows, walk)
    return True


def _settled(body: onnx.GraphProto) -> bool:
    """Whether a loop goes on by what is known: by a constant, by what it was, or by the number of the iteration."""
    known = {body.input[0].name, body.input[1].name, *(tensor.name for tensor in body.initializer)}
    for inner in body.node:
        if known.issuperset(name for name in inner.input if name):
            known.update(inner.output)
    return body.output[0].name in known


def _turn(graph: Any, node: Node, turn: int, given: list[str], walk: Walk) -> list[str]:
    """One iteration: the names of what the body makes. What it reads from around it keeps its name."""
    body = node.get("body")
    place = Place(f"{node.outputs[0]}/{turn}", node.name or "loop", getattr(node.proto, "metadata_props", ()))
    names = dict(zip((x.name for x in body.input), given))
    names |= {name: name for name in read_from_outside(body)}
    start = [_constant(f"{place.prefix}/{t.name}", numpy_helper.to_array(widened_tensor(t))) for t in body.initializer]
    names |= {t.name: f"{place.prefix}/{t.name}" for t in body.initializer}
    walk(graph, [*start, *(written(inner, place, names, {}) for inner in body.node)])
    return [names.get(o.name) or o.name for o in body.output]


def _end(graph: Any, node: Node, states: list[str], rows: list[list[str]], walk: Walk) -> None:
    """The last states, and what the iterations made, stacked."""
    nodes = [helper.make_node("Identity", [s], [o]) for s, o in zip(states, node.outputs) if o]
    axes, back = node.get("scan_output_axes"), node.get("scan_output_directions")
    for i, output in enumerate(node.outputs[len(states) :] if rows else ()):
        axis = axes[i] if axes else 0
        at, column = f"{output}/axis", [row[i] for row in rows]
        nodes.append(_constant(at, np.array([axis])))
        wide = [f"{output}/{turn}" for turn in range(len(column))]
        nodes += [helper.make_node("Unsqueeze", [y, at], [w]) for y, w in zip(column, wide)]
        nodes.append(helper.make_node("Concat", wide[::-1] if back and back[i] else wide, [output], axis=axis))
    walk(graph, nodes)


def _constant(name: str, array: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), name))
