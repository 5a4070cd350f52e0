"""Our operations of the reference evaluator against onnxruntime, in the opsets whose meaning differs."""

from __future__ import annotations

import numpy as np
import pytest

from compose.port.frontends.onnx.exact import evaluator
from compose.port.frontends.onnx.float64 import widened
from tests.port.frontends.onnx.passes.test_norms import draw, node, written

runtime = pytest.importorskip("onnxruntime")

NORM = {"s": draw(4), "b": draw(4), "m": draw(4), "v": np.abs(draw(4)) + np.float32(0.1)}
SCALES = {"s": np.float32([1, 1, 1.45, 2])}
BETWEEN = {"s": np.float32([1, 1, 0.6, 0.7])}
IMAGE, GROUPS = (2, 4, 5, 6), {"w": draw(4, 3, 3, 2), "b": draw(6)}


def rnn(kind, gates, ways=1, n=3):
    return {"w": draw(ways, gates * n, 4), "r": draw(ways, gates * n, n), "b": draw(ways, 2 * gates * n)}


SEQUENCE, LENGTHS, PEEP = (5, 2, 4), {"l": np.int32([5, 3])}, {"p": draw(1, 9)}
CASES = {
    "batch norm 9": written([node("BatchNormalization", "x s b m v")], NORM, IMAGE, 9),
    "batch norm 13": written([node("BatchNormalization", "x s b m v", momentum=0.5)], NORM, IMAGE, 13),
    "softmax 11": written([node("Softmax", "x", axis=1)], shape=(2, 3, 4), opset=11),
    "softmax 11 of its default": written([node("Softmax", "x")], shape=(2, 3, 4), opset=11),
    "softmax 13": written([node("Softmax", "x", axis=1)], shape=(2, 3, 4), opset=13),
    "log softmax 11": written([node("LogSoftmax", "x")], shape=(2, 3, 4), opset=11),
    "hardmax 11": written([node("Hardmax", "x")], shape=(2, 3, 4), opset=11),
    "hardmax 13": written([node("Hardmax", "x", axis=1)], shape=(2, 3, 4), opset=13),
    "upsample 7": written([node("Upsample", "x", mode="linear", scales=[1.0, 1.0, 2.0, 3.0])], (), IMAGE, 7),
    "upsample 9, linear": written([node("Upsample", "x s", mode="linear")], SCALES, IMAGE, 9),
    "upsample 9, nearest": written([node("Upsample", "x s", mode="nearest")], SCALES, IMAGE, 9),
    "resize 10, linear": written([node("Resize", "x s", mode="linear")], SCALES, IMAGE, 10),
    "resize 10, nearest": written([node("Resize", "x s", mode="nearest")], SCALES, IMAGE, 10),
    "resize 10, linear, smaller": written([node("Resize", "x s", mode="linear")], BETWEEN, IMAGE, 10),
    "resize 10, nearest, smaller": written([node("Resize", "x s", mode="nearest")], BETWEEN, IMAGE, 10),
    "resize 18": written([node("Resize", "x - s", mode="linear")], SCALES, IMAGE, 18),
    "largest of a row": written([node("GlobalMaxPool", "x")], shape=(2, 3, 7), opset=17),
    "largest of a volume": written([node("GlobalMaxPool", "x")], shape=(2, 3, 2, 3, 4), opset=17),
    "transposed in groups": written([node("ConvTranspose", "x w b", group=2, strides=[2, 1])], GROUPS, IMAGE, 17),
    "transposed with all": written(
        [
            node(
                "ConvTranspose", "x w b", group=2, strides=[2, 3], dilations=[2, 1], output_padding=[1, 0],
                pads=[1, 0, 2, 1],
            )
        ],
        GROUPS, IMAGE, 17,
    ),
    "transposed to a shape": written(
        [node("ConvTranspose", "x w b", group=2, strides=[2, 2], output_shape=[10, 12])], GROUPS, IMAGE, 17
    ),
    "transposed, same upper": written(
        [node("ConvTranspose", "x w b", group=2, strides=[2, 2], auto_pad="SAME_UPPER")], GROUPS, IMAGE, 17
    ),
    "rnn of relu": written(
        [node("RNN", "x w r b", hidden_size=3, activations=["Relu"])], rnn("RNN", 1), SEQUENCE, 17
    ),
    "rnn both ways": written(
        [
            node(
                "RNN", "x w r b l", hidden_size=3, activations=["LeakyRelu", "HardSigmoid"],
                activation_alpha=[0.3, 0.1], activation_beta=[0.4], direction="bidirectional",
            )
        ],
        rnn("RNN", 1, 2) | LENGTHS, SEQUENCE, 17,
    ),
    "gru": written([node("GRU", "x w r b", hidden_size=3, direction="reverse")], rnn("GRU", 3), SEQUENCE, 17),
    "gru after": written(
        [node("GRU", "x w r b l", hidden_size=3, linear_before_reset=1)], rnn("GRU", 3) | LENGTHS, SEQUENCE, 17
    ),
    "lstm": written(
        [node("LSTM", "x w r b l", hidden_size=3, direction="bidirectional")], rnn("LSTM", 4, 2) | LENGTHS, SEQUENCE, 17
    ),
    "lstm with peepholes": written(
        [node("LSTM", "x w r b - - - p", hidden_size=3)], rnn("LSTM", 4) | PEEP, SEQUENCE, 17
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_computes_what_onnxruntime_does(name):
    model = CASES[name]
    model.ir_version = 8
    model.graph.output[0].type.tensor_type.elem_type = model.graph.input[0].type.tensor_type.elem_type
    x = draw(*(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim))
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    (theirs,) = runtime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})
    (ours,) = evaluator(widened(model)).run(None, {"x": x.astype(np.float64)})
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
