"""If by data, proven in both branches and against onnx's own reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from compose import port
from compose.core.errors import PortError

RNG = np.random.default_rng(0)
node = helper.make_node
X, IMAGES = (RNG.normal(size=s).astype(np.float32) for s in ((6, 4), (2, 3, 6, 6)))


def drawn(name, *shape):
    return numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32), name)


W, ZERO = drawn("W", 4, 4), numpy_helper.from_array(np.float32(0), "zero")
CONDITION = [node("ReduceSum", ["x"], ["s"], keepdims=0), node("Greater", ["s", "zero"], ["c"])]


def way(nodes, outputs, held=(), sizes=("b", 4), kind=TensorProto.FLOAT):
    values = [helper.make_tensor_value_info(o, kind, sizes) for o in outputs]
    return helper.make_graph(nodes, "way", [], values, list(held))


def either(outputs, then, otherwise, condition="c"):
    return node("If", [condition], outputs, then_branch=then, else_branch=otherwise)


def model(*nodes, sizes=("b", 4), out=("b", 4)):
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", sizes), ("y", out)))
    graph = helper.make_graph([*CONDITION, *nodes], "g", [x], [y], [W, ZERO])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def arrays_of_their_own():
    first = way([node("MatMul", ["x", "W"], ["h"]), node("Add", ["h", "b"], ["o"])], ["o"], [drawn("b", 4)])
    second = way([node("MatMul", ["x", "b"], ["h"]), node("Tanh", ["h"], ["o"])], ["o"], [drawn("b", 4, 4)])
    return model(either(["y"], first, second))


def several_outputs():
    first = way([node("MatMul", ["q", "W"], ["o"]), node("Add", ["x", "q"], ["p"])], ["o", "p"])
    second = way([node("Identity", ["x"], ["o"]), node("Neg", ["q"], ["p"])], ["o", "p"])
    return model(node("Mul", ["x", "x"], ["q"]), either(["a", "d"], first, second), node("Mul", ["a", "d"], ["y"]))


def nested():
    inner = either(
        ["n"], way([node("MatMul", ["x", "W"], ["u"])], ["u"]), way([node("Add", ["x", "e"], ["v"])], ["v"]), "c2"
    )
    outer = either(["y"], way([node("Exp", ["x"], ["e"]), inner], ["n"]), way([node("Sin", ["x"], ["o"])], ["o"]))
    return model(node("ReduceMax", ["x"], ["m"], keepdims=0), node("Greater", ["m", "s"], ["c2"]), outer)


def shared():
    first = way([node("MatMul", ["h0", "W"], ["h"]), node("Relu", ["h"], ["o"])], ["o"])
    return model(
        node("MatMul", ["x", "W"], ["h0"]), either(["y"], first, way([node("MatMul", ["h0", "W"], ["o"])], ["o"]))
    )


def constants_alone():
    first, second = (
        way([], ["o"], [drawn("o", 4)], (4,)),
        way([node("Constant", [], ["o"], value=drawn("", 4))], ["o"], (), (4,)),
    )
    return model(either(["k"], first, second), node("Mul", ["x", "k"], ["y"]))


def whole_numbers():
    ways = [
        way([node(f"Arg{m}", ["x"], ["o"], axis=1, keepdims=0)], ["o"], (), ("b",), TensorProto.INT64)
        for m in ("Max", "Min")
    ]
    return model(either(["i"], *ways), node("Gather", ["W", "i"], ["y"]))


def images():
    sizes = ("b", 5, 6, 6)
    first = way([node("Conv", ["x", "K"], ["o"], pads=[1, 1, 1, 1])], ["o"], [drawn("K", 5, 3, 3, 3)], sizes)
    second = way([node("Conv", ["x", "L"], ["o"])], ["o"], [drawn("L", 5, 3, 1, 1)], sizes)
    return model(either(["z"], first, second), node("Relu", ["z"], ["y"]), sizes=("b", 3, 6, 6), out=sizes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "made", [arrays_of_their_own, several_outputs, nested, shared, constants_alone, whole_numbers, images]
)
def test_both_ways_are_those_of_the_file(made):
    file, example = made(), IMAGES if made is images else X
    onnx.checker.check_model(file)
    ported = port.from_onnx(file, example)
    assert any(row.check == "branches" for row in ported.verify("gradients").rows)
    assert "choose(" in ported.source
    ours = lambda x: np.moveaxis(x, 1, -1)
    for x in (example, -example, 3 * example, 0 * example, abs(example), example[:1] - np.float32(0.1)):
        (wanted,) = ReferenceEvaluator(file).run(None, {"x": x})
        got = ported.net.apply(ported.params, ported.state, ours(x))[0]
        np.testing.assert_allclose(got, ours(wanted), rtol=1e-5, atol=1e-5)


def test_weights_of_ways_keep_their_names():
    assert {record.view.source for record in port.from_onnx(arrays_of_their_own(), X).weights} == {"W", "b.2", "b.3"}


def test_results_of_other_shapes_are_refused():
    first = way([node("ReduceSum", ["x"], ["o"])], ["o"], (), None)
    file = model(
        either(["k"], first, way([node("Neg", ["x"], ["o"])], ["o"], (), None)), node("Add", ["x", "k"], ["y"])
    )
    with pytest.raises(PortError, match="two branches whose results have one shape and type"):
        port.from_onnx(file, X)


@pytest.mark.slow
def test_a_weight_that_is_read_in_two_forms_is_one():
    turned = [node("Transpose", ["W"], ["t"], perm=[1, 0]), node("MatMul", ["x", "t"], ["b"])]
    ported = port.from_onnx(model(node("MatMul", ["x", "W"], ["a"]), *turned, node("Add", ["a", "b"], ["y"])), X)
    assert ported.verify("gradients").ok
    assert [record.view.source for record in ported.weights] == ["W"]
