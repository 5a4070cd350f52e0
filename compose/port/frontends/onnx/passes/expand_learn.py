"""scikit-learn's models, as skl2onnx writes them: linear maps, and probabilities with the names of classes."""

from __future__ import annotations

import numpy as np
import onnx

from compose.core.errors import PortError
from compose.port.frontends.onnx.passes.expansion import Writer, expansion

_AFTER = {b"NONE": "Identity", b"SOFTMAX": "Softmax", b"LOGISTIC": "Sigmoid"}
_NAMING = ("ArrayFeatureExtractor", "LinearClassifier", "LabelEncoder", "ZipMap")


def without_labels(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose outputs are numbers: no labels, which are the names of the largest, and no maps of names."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    makers = {name: node for node in graph.node for name in node.output}
    kept = []
    for output in graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type in ("Cast", "Reshape", "Identity"):
            node = makers.get(node.input[0])
        zipped = node is not None and node.op_type == "ZipMap"
        named = node is not None and node.op_type in _NAMING and output.name != (*node.output, "")[1]
        if zipped and node is not None:
            kept.append(onnx.helper.make_empty_tensor_value_info(node.input[0]))
        elif not named:
            kept.append(output)
    if not kept or not any(node.op_type in _NAMING for node in graph.node):
        return made
    wanted, nodes = {output.name for output in kept}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            nodes.insert(0, node)
            wanted.update(node.input)
    del graph.output[:], graph.node[:]
    graph.output.extend(kept)
    graph.node.extend(nodes)
    return made


@expansion("ai.onnx.ml.LinearClassifier")
def _classifier(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    scores = _linear(write, node, given, len(given["coefficients"]) // len(given["intercepts"]))
    after = _AFTER.get(given.get("post_transform", b"NONE"))
    if after is None or len(given["intercepts"]) == 1:
        raise PortError(f"scores of each class, bare or by softmax or sigmoid, got {given.get('post_transform')}")
    write.add(after, scores, to=node.output[1], **({"axis": 1} if after == "Softmax" else {}))


@expansion("ai.onnx.ml.LinearRegressor")
def _regressor(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    if given.get("post_transform", b"NONE") != b"NONE":
        raise PortError(f"a regression without post_transform, got {given['post_transform']}")
    features = len(given["coefficients"]) // given.get("targets", 1)
    write.add("Identity", _linear(write, node, given, features), to=node.output[0])


def _linear(write: Writer, node: onnx.NodeProto, given: dict, features: int) -> str:
    matrix = np.array(given["coefficients"], np.float32).reshape(-1, features)
    names = [write.array(matrix, "coefficients")]
    if "intercepts" in given:
        names.append(write.array(np.array(given["intercepts"], np.float32), "intercepts"))
    return write.add("Gemm", node.input[0], *names, transB=1)


@expansion("ai.onnx.ml.Scaler")
def _scaler(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    moved = write.add("Add", node.input[0], write.array(-np.array(given["offset"], np.float32), "offset"))
    write.add("Mul", moved, write.array(np.array(given["scale"], np.float32), "scale"), to=node.output[0])


@expansion("ai.onnx.ml.Normalizer")
def _normalizer(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    kind = given.get("norm", b"MAX")
    before = next((n for n in write.graph.node if node.input[0] in n.output and n.op_type == "LinearClassifier"), None)
    if kind == b"L1" and before is not None and b"SOFTMAX" in [a.s for a in before.attribute]:
        write.add("Identity", node.input[0], to=node.output[0])  # they sum to one as they are
        return
    if kind not in (b"L1", b"L2"):
        raise PortError(f"rows of norm 1 by L1 or L2, got {kind}")
    p = {b"L1": 1, b"L2": 2}[kind]
    write.add("LpNormalization", node.input[0], to=node.output[0], axis=1, p=p)
