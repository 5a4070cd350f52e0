"""One weight that operations read in several forms, or that others are computed from: it is a `parameter`."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from compose import port

RNG = np.random.default_rng(0)
node = helper.make_node
W = RNG.normal(size=(4, 4)).astype(np.float32)
X = RNG.normal(size=(6, 4)).astype(np.float32)
PRODUCT = node("MatMul", ["x", "W"], ["a"])
CASES = {
    "turned": [PRODUCT, node("Transpose", ["W"], ["t"]), node("MatMul", ["a", "t"], ["y"])],
    "a sum": [PRODUCT, node("ReduceSum", ["W", "first"], ["s"], keepdims=0), node("Add", ["a", "s"], ["y"])],
    "its sum": [PRODUCT, node("ReduceSum", ["W"], ["s"], keepdims=0), node("Mul", ["a", "s"], ["y"])],
    "a softmax": [PRODUCT, node("Softmax", ["W"], ["s"], axis=0), node("MatMul", ["a", "s"], ["y"])],
    "a choice": [
        PRODUCT, node("Greater", ["W", "zero"], ["c"]), node("Where", ["c", "W", "zero"], ["s"]),
        node("MatMul", ["a", "s"], ["y"]),
    ],
    "two forms": [
        node("Exp", ["W"], ["e"]), node("Sin", ["W"], ["s"]), node("MatMul", ["x", "e"], ["a"]),
        node("MatMul", ["a", "s"], ["y"]),
    ],
}  # fmt: skip


def ported(nodes):
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ("b", 4)) for n in ("x", "y"))
    arrays = {"W": W, "first": np.array([0]), "zero": np.float32(0)}
    held = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], held)
    return port.from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), X)


@pytest.mark.parametrize("name", CASES)
def test_it_is_one(name):
    made = ported(CASES[name])
    assert made.verify("gradients").ok
    assert "parameter(4, 4, batch=False)" in str(made.net)
    assert [record.view.source for record in made.weights if record.tree == "params"].count("W") == 1


def test_what_is_computed_once_stays_a_weight():
    size = [node("ReduceL2", ["W"], ["n"], axes=[0]), node("Div", ["W", "n"], ["v"]), node("MatMul", ["x", "v"], ["y"])]
    assert str(ported(size).net) == "fc(4, bias=False)"
