"""Constants as initialisers of the model, those within the branches of an If too: they are weights like all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

_CONSTANTS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def as_initialisers(graph: onnx.GraphProto) -> None:
    """Make constants initialisers, in place, and those of branches the model's, under names that no others have."""
    _constants(graph)
    _hoist(graph, graph, Counter(_made(graph)))


def set_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def _constants(graph: onnx.GraphProto) -> None:
    kept = []
    for node in graph.node:
        attribute = node.attribute[0] if node.op_type == "Constant" and node.domain in ("", "ai.onnx") else None
        if attribute is not None and attribute.name == "value":
            tensor = onnx.TensorProto()
            tensor.CopyFrom(attribute.t)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        elif attribute is not None and attribute.name in _CONSTANTS:
            value = np.array(helper.get_attribute_value(attribute), _CONSTANTS[attribute.name])
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        else:
            kept.append(node)
    set_nodes(graph, kept)


def _hoist(graph: onnx.GraphProto, whole: onnx.GraphProto, taken: Counter[str]) -> None:
    """Move the constants of the branches in a graph, innermost first."""
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "If" else ():
            way, names = attribute.g, {}
            _constants(way)
            _hoist(way, whole, taken)
            returned = {o.name for o in way.output}
            for tensor in way.initializer:
                new = whole.initializer.add()
                new.CopyFrom(tensor)
                new.name = names[tensor.name] = _fresh(tensor.name, taken, tensor.name in returned)
            del way.initializer[:]
            _rename(way, names)
            ends = [helper.make_node("Identity", [names[n]], [n]) for n in names if n in returned]
            set_nodes(way, [*ends, *way.node])


def _fresh(name: str, taken: Counter[str], returned: bool) -> str:
    """The name itself if nothing else is called so."""
    if taken[name] == 1 and not returned:
        return name
    made, n = f"{name}.2", 2
    while taken[made]:
        made, n = f"{name}.{n + 1}", n + 1
    taken[made] += 1
    return made


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give what nodes read other names, within their own graphs too."""
    for node in graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        for attribute in node.attribute:
            _rename(attribute.g, names)


def _made(graph: onnx.GraphProto) -> Iterator[str]:
    """All names that a graph gives to values, and those within its nodes."""
    yield from (x.name for x in (*graph.input, *graph.initializer))
    for node in graph.node:
        yield from node.output
        for attribute in node.attribute:
            yield from _made(attribute.g)
