"""Files of old opsets, in half precision, and with constant ways, against onnxruntime or with what they must say."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.onnx.passes.test_norms import IMAGE, draw, node, written

OLD = {
    "softmax over all after an axis": (written([node("Softmax", "x", axis=1)], shape=("n", 3, 4), opset=11), "softmax"),
    "softmax of its default": (written([node("Softmax", "x")], shape=("n", 3, 4), opset=11), "softmax"),
    "upsample": (
        written([node("Upsample", "x s", mode="nearest")], {"s": np.float32([1, 1, 2, 3])}, IMAGE, 9),
        "upsample(factor=(2.0, 3.0))",
    ),
    "clip by attributes": (written([node("Clip", "x", min=-0.5, max=0.25)], opset=7), "clip(min=-0.5, max=0.25)"),
    "dropout by attributes": (written([node("Dropout", "x", ratio=0.3)], opset=7), "dropout"),
    "unsqueeze by attributes": (
        written([node("Unsqueeze", "x", "h", axes=[1]), node("Squeeze", "h", axes=[1])], opset=11), "identity",
    ),
    "reduction by attributes": (written([node("ReduceSum", "x", axes=[1], keepdims=0)], opset=11), "ops.sum(axis=1)"),
    "pad by attributes": (written([node("Pad", "x", pads=[0, 0, 1, 0, 0, 0, 0, 2])], shape=IMAGE, opset=7), "pad"),
    "slice by attributes": (written([node("Slice", "x", axes=[1], starts=[1], ends=[3])], opset=9), 'at(":, 1:3")'),
    "batch norm": (
        written(
            [node("BatchNormalization", "x s b m v")],
            {"s": draw(3), "b": draw(3), "m": draw(3), "v": 1 + draw(3) ** 2}, IMAGE, 8,
        ),
        "batch_norm",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_old_opsets_compute_what_onnxruntime_does(name):
    runtime = pytest.importorskip("onnxruntime")
    model, said = OLD[name]
    model.ir_version = 6
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    x = draw(*(d.dim_value or 2 for d in model.graph.input[0].type.tensor_type.shape.dim))
    (theirs,) = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    ported = port.from_onnx(model)
    ours, _ = ported.net.apply(ported.params, ported.state, *ported.ours([x]))
    assert said in str(ported.net)
    np.testing.assert_allclose(ported.theirs_out([np.asarray(ours)])[0], theirs, rtol=1e-5, atol=1e-6)


def test_files_of_torch_in_opset_6():
    data = Path(onnx.__file__).parent / "backend/test/data/pytorch-converted"
    read = lambda path: numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))
    for name in ("BatchNorm3d_eval", "Conv2d_groups", "ConvTranspose2d", "Embedding", "GLU"):
        folder = data / f"test_{name}"
        x = read(folder / "test_data_set_0/input_0.pb")
        ported = port.from_onnx(folder / "model.onnx", x)
        (y,) = ported.theirs_out([np.asarray(ported.net.apply(ported.params, ported.state, *ported.ours([x]))[0])])
        np.testing.assert_allclose(y, read(folder / "test_data_set_0/output_0.pb"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_weights_of_half_precision(dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = written([node("MatMul", "x w", "h"), node("Add", "h b")], dtype=kind)
    arrays = {"w": draw(4, 5).astype(dtype), "b": draw(5).astype(dtype)}
    model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in arrays.items())
    ported = port.from_onnx(model)
    assert str(ported.net) == "fc(5)" and ported.verify("gradients").ok


def test_a_constant_way_is_taken():
    ways = [
        helper.make_graph([node(op, "x", name)], name, [], [helper.make_empty_tensor_value_info(name)])
        for op, name in (("Relu", "then"), ("Tanh", "other"))
    ]
    size = [node("Shape", "x", "s"), node("Gather", "s one", "n"), node("Equal", "n four", "c")]
    model = written(
        [*size, node("If", "c", then_branch=ways[0], else_branch=ways[1])], {"one": np.int64(1), "four": np.int64(4)}
    )
    assert str(port.from_onnx(model).net) == "relu"


NUMBERS = {"zero": np.int64(0), "one": np.float32(1)}
COUNT = [node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Cast", "n", "c", to=TensorProto.FLOAT)]


def test_the_size_of_the_batch_is_a_symbol():
    ported = port.from_onnx(written([*COUNT, node("Div", "x c")], {"zero": np.int64(0)}))
    assert "ops.size" in str(ported.net) and ported.verify("gradients").ok
    x = draw(5, 4)
    np.testing.assert_allclose(ported.net.apply(ported.params, ported.state, x)[0], x / 5, rtol=1e-6)


def test_a_number_that_follows_from_the_batch_in_another_way_is_refused():
    model = written(
        [*COUNT, node("Sub", "c one", "m"), node("Div", "x m")], {"zero": np.int64(0), "one": np.float32(1)}
    )
    with pytest.raises(PortError, match="numbers that do not follow from the batch, at node the_Div"):
        port.from_onnx(model)


def test_sizes_from_data_are_refused():
    nodes = [node("Cast", "x", "i", to=TensorProto.INT64), node("Gather", "i zero", "r"), node("Expand", "x r")]
    model = written(nodes, {"zero": np.int64(0)}, ("n", 1))
    with pytest.raises(PortError, match="do not depend on numbers of the input"):
        port.from_onnx(model)


def test_weights_that_are_stored_as_whole_numbers_are_read():
    model = written(
        [node("DequantizeLinear", "q scale", "w"), node("MatMul", "x w")],
        {"q": np.arange(20, dtype=np.int8).reshape(4, 5), "scale": np.float32(0.1)},
    )
    ported = port.from_onnx(model)
    assert str(ported.net) == "fc(5, bias=False)" and ported.verify("gradients").ok


def test_quantised_values_say_what_to_do():
    model = written(
        [node("QuantizeLinear", "x scale zero", "q"), node("DequantizeLinear", "q scale zero")],
        {"scale": np.float32(0.1), "zero": np.int8(0)},
    )
    with pytest.raises(PortError, match="port the model from before it was quantised"):
        port.from_onnx(model)


@pytest.mark.parametrize(("opset", "axis"), [(13, None), (17, None), (17, 1), (19, None), (21, 0)])
def test_weights_that_are_stored_as_whole_numbers_in_any_opset(opset, axis):
    q = np.random.default_rng(0).integers(-127, 127, size=(4, 5)).astype(np.int8)
    n = 1 if axis is None else q.shape[axis]
    scale, zero = np.linspace(0.1, 0.3, n, dtype=np.float32), np.arange(n, dtype=np.int8)
    options = {} if axis is None else {"axis": axis}
    weights = {"q": q, "s": scale if n > 1 else scale.reshape(()), "z": zero if n > 1 else zero.reshape(())}
    model = written([node("DequantizeLinear", "q s z", "w", **options), node("MatMul", "x w")], weights, opset=opset)
    ported = port.from_onnx(model)
    wanted = (q.astype(float) - np.expand_dims(zero, 1 - (axis or 0))) * np.expand_dims(scale, 1 - (axis or 0))
    np.testing.assert_allclose(ported.params["kernel"], wanted, rtol=1e-6)
    report = ported.verify("gradients")
    assert report.ok and report.rows[-1].check == "witness"


def test_weights_that_are_quantised_and_back():
    weights = {"w": draw(4, 5), "s": np.float32(0.05), "z": np.int8(3)}
    nodes = [node("QuantizeLinear", "w s z", "q"), node("DequantizeLinear", "q s z", "v"), node("MatMul", "x v")]
    report = port.from_onnx(written(nodes, weights, opset=17)).verify("gradients")
    assert report.ok and report.rows[-1].check == "witness"
