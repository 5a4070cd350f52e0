"""What of ONNX cannot be ported, and what is said then."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

import compose
from compose import port
from compose.core.errors import PortError
from tests.port.frontends.onnx.passes.test_norms import draw, ints, node, written


def test_unknown_operations_are_listed_with_their_nodes():
    model = written([node("EyeLike", "x", "h"), node("IsInf", "h")])
    with pytest.raises(PortError) as raised:
        port.from_onnx(model)
    assert "onnx.EyeLike (domain ai.onnx, opset 20) (1×), first at node the_EyeLike" in str(raised.value)
    assert "IsInf" not in str(raised.value) and "@compose.port.rule('onnx.Name')" in str(raised.value)
    with pytest.raises(PortError, match=r"(?s)EyeLike.*IsInf"):
        port.from_onnx(model, partial=True)


def test_an_operation_of_another_domain():
    model = written([helper.make_node("Twist", ["x"], ["y"], domain="com.mine", name="bend")])
    model.opset_import.append(helper.make_opsetid("com.mine", 3))
    with pytest.raises(PortError, match=r"com\.mine\.Twist \(domain com\.mine, opset 3\).*node bend"):
        port.from_onnx(model)


def test_a_rule_teaches_an_operation():
    from compose.port.lowering.registry import _custom

    @compose.register
    def half_max(x):
        return 0.5 * x

    @port.rule("onnx.EyeLike")
    def _(low, node, x):
        return low.emit(half_max, x)

    try:
        assert str(port.from_onnx(written([node("EyeLike", "x")])).net) == "half_max"
    finally:
        del _custom["onnx.EyeLike"]


def test_control_flow():
    """An If by data is a choice; a loop of unknown length is refused."""
    inner = helper.make_graph([node("Relu", "x", "z")], "then", [], [helper.make_empty_tensor_value_info("z")])
    nodes = [node("ReduceSum", "x", "s", keepdims=0), node("Cast", "s", "c", to=TensorProto.BOOL)]
    model = written([*nodes, node("If", "c", then_branch=inner, else_branch=inner)])
    assert "choose(relu, relu)" in str(port.from_onnx(model).net)
    boolean, number = (helper.make_tensor_value_info(*v) for v in (("go", TensorProto.BOOL, []), ("n", 7, [])))
    ends = [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_empty_tensor_value_info("w")]
    turns = [node("Identity", "go", "on"), node("Neg", "v", "w")]
    body = helper.make_graph(turns, "body", [number, boolean, helper.make_empty_tensor_value_info("v")], ends)
    loop = helper.make_node("Loop", ["", "c", "x"], ["y"], name="the_Loop", body=body)
    with pytest.raises(PortError, match=r"known number of iterations, got onnx\.Loop at node the_Loop"):
        port.from_onnx(written([*nodes, loop]))


@pytest.mark.parametrize(
    ("content", "said"), [(None, "not there"), (b"no model", "damaged|which has none"), (b"", "which has none")]
)
def test_files_that_are_none(tmp_path, content, said):
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PortError, match=said):
        port.from_onnx(path)


def test_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "m.onnx"
    whole = written([node("MatMul", "x w")], {"w": draw(4, 5)}).SerializeToString()
    path.write_bytes(whole[:-20])
    with pytest.raises(PortError, match=r"damaged"):
        port.from_onnx(path)


def test_what_is_no_model():
    with pytest.raises(PortError, match=r"the path of an ONNX file or an onnx\.ModelProto, got dict"):
        port.from_onnx({})
    with pytest.raises(PortError, match="one example for each of the 1 inputs"):
        port.from_onnx(written([node("Relu", "x")]), draw(1, 4), draw(1, 4))


def test_shapes_that_do_not_fit_name_the_node():
    with pytest.raises(PortError, match=r"onnx\.MatMul at node the_MatMul, got .*\(5, 2\)"):
        port.from_onnx(written([node("MatMul", "x w")], {"w": draw(5, 2)}))


@pytest.mark.parametrize(
    ("nodes", "weights", "said"),
    [
        ([node("GatherND", "x at", batch_dims=1)], {"at": ints(2, 0).reshape(2, 1)}, "got batch_dims=1"),
        ([node("CumProd", "x at", exclusive=1)], {"at": np.int64(1)}, "got exclusive"),
    ],
)
def test_forms_of_an_operation_that_have_no_word(nodes, weights, said):
    with pytest.raises(PortError, match=said) as raised:
        port.from_onnx(written(nodes, weights))
    assert f"at node the_{nodes[0].op_type}" in "".join(raised.value.__notes__)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"activations": ["Sigmoid", "Tanh", "Relu"]}, "lstm with activations of"),
        ({"activations": ["Tanh", "Sigmoid", "Tanh"]}, "lstm with activations of"),
        ({"clip": 1.0}, "lstm without clip"),
        ({"input_forget": 1}, "lstm without input_forget"),
        ({"layout": 1}, "lstm without layout"),
    ],
)
def test_recurrent_layers_of_another_kind(options, said):
    lstm = node("LSTM", "x w r", "h", hidden_size=3, **options)
    with pytest.raises(PortError, match=said):
        port.from_onnx(written([lstm], {"w": draw(1, 12, 4), "r": draw(1, 12, 3)}, (5, 2, 4), outputs="h"))


def test_without_onnx(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(PortError, match=r"compose-jax\[onnx\]"):
        port.from_onnx("m.onnx")
