"""Rewriting of a model that changes nothing it computes: constants as initialisers, and each weight its own."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from onnx import numpy_helper

from compose.port.frontends.onnx.model import node_of
from compose.port.frontends.onnx.passes.dequantize import dequantized
from compose.port.frontends.onnx.passes.initialisers import as_initialisers, set_nodes


def tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in inference mode whose constants are initialisers, in which layers share a weight only if they are tied.

    Exporters store arrays that are equal once, as the zeros of all biases, which training would tear apart.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    as_initialisers(graph)
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            kept = [a for a in node.attribute if a.name != "training_mode"]
            del node.attribute[:], node.output[1:]
            node.attribute.extend(kept)
        elif node.op_type == "Dropout" and len(node.input) > 2:
            del node.input[2:]
    dequantized(graph)
    _copies(graph)
    _as_sums(graph)
    _apart(graph)
    _transposed(graph)
    names = {init.name for init in graph.initializer}
    inputs = [x for x in graph.input if x.name not in names]
    del graph.input[:], graph.value_info[:]
    graph.input.extend(inputs)
    return made


def _copies(graph: onnx.GraphProto) -> None:
    """An Identity of an initialiser is an initialiser: torch's exporter writes so what it stored once."""
    inits = {init.name: init for init in graph.initializer}
    outputs = {o.name for o in graph.output}
    kept = []
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in inits and node.output[0] not in outputs:
            inits[node.output[0]] = _copy(graph, inits[node.input[0]], node.output[0])
        else:
            kept.append(node)
    set_nodes(graph, kept)


def _as_sums(graph: onnx.GraphProto) -> None:
    """What subtracts a weight, or divides by one, as a sum or a product with another."""
    weights = {i.name for i in graph.initializer if _is_float(i) and int(np.prod(i.dims)) > 1}
    kept = []
    for node in graph.node:
        turned = {"Sub": ("Neg", "Add"), "Div": ("Reciprocal", "Mul")}.get(node.op_type)
        if turned and node.input[1] in weights and node.input[0] not in weights:
            name = f"{node.input[1]}.{'negative' if node.op_type == 'Sub' else 'inverse'}"
            if all(name not in n.output for n in kept):
                kept.append(onnx.helper.make_node(turned[0], [node.input[1]], [name], name=name))
            node.op_type, node.input[1] = turned[1], name
        kept.append(node)
    set_nodes(graph, kept)


def _apart(graph: onnx.GraphProto) -> None:
    """An initialiser whose numbers are all equal, read by different layers, becomes one for each.

    It stays one where all weights of the layers are the same and they are called by one name: a module called twice.
    In one layer it is one for each of its weights, as the scale and the variance of a new batch norm.
    """
    inits = {i.name: i for i in graph.initializer if len(i.dims) == 1 and i.dims[0] > 1 and _is_float(i)}
    uses = defaultdict(list)
    for node in graph.node:
        for slot, name in enumerate(node.input):
            if name in inits:
                uses[name].append((node, slot))
    taken = {init.name for init in graph.initializer}
    weights = {init.name for init in graph.initializer if _is_float(init)}
    own = {id(node): (tuple(n for n in node.input if n in weights), node_of(node).path) for node in graph.node}
    for name, readers in uses.items():
        if len(readers) < 2 or np.ptp(numpy_helper.to_array(inits[name])) != 0:
            continue
        seen: dict = {(*own[id(readers[0][0])], readers[0][1]): name}
        for node, slot in readers[1:]:
            key = (*own[id(node)], slot)
            tied = key in seen and (key[1] or any(_varies(graph, n) for n in key[0]))
            if not tied:
                leaf = name.rpartition(".")[2]
                fresh = _fresh(".".join((*key[1], leaf)) if key[1] and "." in name else name, taken)
                _copy(graph, inits[name], fresh)
                seen[key] = fresh
            node.input[slot] = seen[key]


def _transposed(graph: onnx.GraphProto) -> None:
    """A matrix that is another's transpose, number for number, is tied to it, as an embedding and its projection."""
    matrices = {i.name: numpy_helper.to_array(i) for i in graph.initializer if len(i.dims) == 2 and _is_float(i)}
    tables = {n.input[0] for n in graph.node if n.op_type == "Gather" and n.input[0] in matrices}
    for name, a in matrices.items():
        twin = next(
            (t for t in tables if t != name and matrices[t].shape == a.shape[::-1] and _same(a, matrices[t])), None
        )
        if twin is not None and name not in tables:
            node = onnx.helper.make_node("Transpose", [twin], [name], name=f"{name}/transposed", perm=[1, 0])
            set_nodes(graph, [node, *graph.node])
            kept = [init for init in graph.initializer if init.name != name]
            del graph.initializer[:]
            graph.initializer.extend(kept)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.size > 1 and np.ptp(a) != 0 and np.array_equal(a, b.T)


def _varies(graph: onnx.GraphProto, name: str) -> bool:
    return next(np.ptp(numpy_helper.to_array(i)) != 0 for i in graph.initializer if i.name == name)


def _copy(graph: onnx.GraphProto, tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    made = graph.initializer.add()
    made.CopyFrom(tensor)
    made.name = name
    return made


def _fresh(name: str, taken: set[str]) -> str:
    made, n = name, 2
    while made in taken:
        made, n = f"{name}.{n}", n + 1
    taken.add(made)
    return made


def _is_float(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
