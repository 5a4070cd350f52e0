"""The proof of a file is about the file as it came: in its own opset, and as onnxruntime runs it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from compose import port
from compose.core.errors import PortError
from compose.port.frontends.onnx import reference
from tests.port.frontends.onnx.passes.test_norms import IMAGE, draw, node, written

pytest.importorskip("onnxruntime")
SQUARE = np.float32([[[1.0], [2.0]], [[3.0], [4.0]]])[None]
OPEN = ("n", 4, "t")
BY_HAND = [[1, 1.5, 2, 2], [2, 2.5, 3, 3], [3, 3.5, 4, 4], [3, 3.5, 4, 4]]


@pytest.mark.parametrize(("op", "opset"), [("Upsample", 9), ("Resize", 10)])
def test_linear_resizing_before_opset_11_samples_at_the_quotient(op, opset):
    weights = {"w": np.ones((1, 1, 1, 1), np.float32), "s": np.float32([1, 1, 2, 2])}
    nodes = [node("Conv", "x w", "h"), node(op, "h s", mode="linear")]
    ported = port.from_onnx(written(nodes, weights, ("n", 1, 2, 2), opset))
    made = np.asarray(ported.net.apply(ported.params, ported.state, SQUARE)[0])[0, :, :, 0]
    np.testing.assert_allclose(made, BY_HAND, rtol=1e-6)
    assert 'coordinates="asymmetric"' in str(ported.net)
    assert ported.verify("gradients").ok


@pytest.mark.parametrize("scale", [0.6, 1.45])
def test_nearest_resizing_before_opset_11(scale):
    weights = {"s": np.float32([1, 1, scale, scale])}
    report = port.from_onnx(written([node("Resize", "x s", mode="nearest")], weights, IMAGE, 10)).verify("outputs")
    assert report.ok and report.rows[-1].check == "witness"


@pytest.mark.parametrize("opset", [9, 11, 13, 17])
def test_batch_norm_of_any_opset(opset):
    weights = {"s": draw(3), "b": draw(3), "m": draw(3), "v": np.abs(draw(3)) + np.float32(0.1)}
    model = written([node("BatchNormalization", "x s b m v")], weights, IMAGE, opset)
    assert port.from_onnx(model).verify("gradients").ok


def test_a_scale_that_float32_cuts_off():
    weights = {"w": draw(4, 3, 1, 1), "s": np.float32([1, 1, 1.45, 1.3])}
    model = written([node("Conv", "x w", "h"), node("Resize", "h - s", mode="linear")], weights, IMAGE, 18)
    assert port.from_onnx(model).verify("gradients").ok


def test_windows_that_the_reference_of_onnx_computes_wrongly():
    weights = {"w": draw(4, 3, 3, 3)}
    nodes = [node("ConvTranspose", "x w", group=2, strides=[2, 2])]
    assert port.from_onnx(written(nodes, weights, ("n", 4, 5, 6), 17)).verify("gradients").ok
    nodes = [node("Conv", "x w", "h"), node("GlobalMaxPool", "h")]
    assert port.from_onnx(written(nodes, {"w": draw(4, 3, 3)}, ("n", 3, 7), 17)).verify("gradients").ok


def test_a_recurrent_layer_of_relu():
    weights = {"w": draw(1, 4, 3), "r": draw(1, 4, 4), "b": draw(1, 8), "a": np.array([1])}
    nodes = [node("RNN", "x w r b", "h", hidden_size=4, activations=["Relu"]), node("Squeeze", "h a")]
    assert port.from_onnx(written(nodes, weights, (5, 4, 3), 17)).verify("gradients").ok


def test_the_reference_is_compared_with_onnxruntime():
    ported = port.from_onnx(written([node("MatMul", "x w")], {"w": draw(4, 5)}))
    witness = ported.verify("outputs").rows[-1]
    assert witness.check == "witness" and "onnxruntime" in witness.what and witness.error < 1e-6
    other = onnx.ModelProto.FromString(ported.reference.source.SerializeToString())
    other.graph.node[0].input[:] = ["x", "w"]
    other.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(draw(4, 5), "w"))
    ported.reference.source = other  # the file says something else than what was read
    with pytest.raises(PortError, match="computes something else than onnxruntime"):
        ported.verify("outputs")


def test_a_file_that_the_reference_of_its_opset_cannot_run_is_converted(monkeypatch):
    model = written([node("Softmax", "x", axis=1)], shape=("n", 3, 4), opset=11)
    ported, tried = port.from_onnx(model), []

    def refuses(form, weights):
        tried.append(form.opset_import[0].version)
        if tried == [11]:
            raise NotImplementedError
        return made(form, weights)

    made = reference._evaluator
    monkeypatch.setattr(reference, "_evaluator", refuses)
    assert ported.verify("outputs").ok and tried == [11, 13]


def test_a_length_that_the_file_leaves_open():
    x = draw(3, 4, 5)
    free = port.from_onnx(written([node("Relu", "x", "h"), node("ReduceMean", "h at")], {"at": np.array([1])}, OPEN), x)
    assert "ensure_shape" not in str(free.net) and free.verify("gradients").ok
    nodes = [node("Flatten", "x", "h"), node("Slice", "h from to at")]
    weights = {"from": np.array([0]), "to": np.array([7]), "at": np.array([1])}
    held = port.from_onnx(written([node("Flatten", "x", "h"), node("MatMul", "h w")], {"w": draw(20, 3)}, OPEN), x)
    assert "ensure_shape(None, None, 5)" in str(held.net) and held.verify("gradients").ok
    assert port.from_onnx(written(nodes, weights, OPEN), x).verify("outputs").ok
