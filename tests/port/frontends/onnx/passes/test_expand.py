"""What exporters other than torch's write: TensorFlow's and Keras's, scikit-learn's, onnxruntime's optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.onnx.passes.test_norms import draw, ints, node, written

MEAN = [
    node("GlobalAveragePool", "x", "m"), node("Sub", "x m", "d"), node("Mul", "d d", "s"),
    node("GlobalAveragePool", "s", "v"), node("Add", "v eps", "e"), node("Sqrt", "e", "r"),
    node("Reciprocal", "r", "i"), node("Mul", "i w", "k"), node("Mul", "x k", "a"), node("Neg", "m", "n"),
    node("Mul", "n k", "c"), node("Add", "c b", "f"), node("Add", "a f"),
]  # fmt: skip
HEADS = [
    *(node("MatMul", f"x {p}w", f"{p}m") for p in "qkv"),
    *(node("Reshape", f"{p}m parts", f"{p}r") for p in "qkv"),
    *(node("Add", f"{p}r {p}b", f"{p}a") for p in "qkv"),
    *(node("Transpose", f"{p}a", f"{p}t", perm=[0, 2, 1, 3]) for p in "qkv"),
    *(node("Reshape", f"{p}t joined", f"{p}j") for p in "qkv"),
    node("Transpose", "kj", "kk", perm=[0, 2, 1]), node("MatMul", "qj kk", "s"), node("Reshape", "s apart", "sa"),
    node("Mul", "sa half", "ss"), node("Softmax", "ss", "p"), node("Reshape", "p again", "pj"),
    node("MatMul", "pj vj", "o"), node("Reshape", "o four", "oa"), node("Transpose", "oa", "ot", perm=[0, 2, 1, 3]),
    node("Reshape", "ot whole", "y1"), node("MatMul", "y1 ow", "y2"), node("Add", "y2 ob"),
]  # fmt: skip
HEAD_WEIGHTS = (
    {f"{p}w": draw(8, 8) for p in "qkvo"}
    | {f"{p}b": draw(2, 4) for p in "qkv"}
    | {"ob": draw(8), "half": np.float32(0.5), "parts": ints(-1, 5, 2, 4), "joined": ints(-1, 5, 4)}
    | {"apart": ints(-1, 2, 5, 5), "again": ints(-1, 5, 5), "four": ints(-1, 2, 5, 4), "whole": ints(-1, 5, 8)}
)
TWICE = [
    node("Unsqueeze", "x three", "u"), node("Tile", "u wide", "t"), node("Transpose", "t", "h", perm=[0, 2, 3, 4, 1]),
    node("Reshape", "h high", "a"), node("Unsqueeze", "a three", "b"), node("Tile", "b wide", "c"),
    node("Reshape", "c both"),
]  # fmt: skip
WRITTEN = {
    "layer norm": (
        written(MEAN, {"w": draw(1, 1, 8), "b": draw(1, 1, 8), "eps": np.float32(1e-3)}, ("n", 5, 8)),
        "layer_norm(epsilon=0.001)",
    ),
    "heads": (written(HEADS, HEAD_WEIGHTS, ("n", 5, 8)), "multi_head_attention(2)"),
    "upsampling": (
        written(
            TWICE,
            {"three": ints(3), "wide": ints(1, 1, 1, 2, 1), "high": ints(-1, 8, 3, 5), "both": ints(-1, 8, 6, 5)},
            ("n", 5, 4, 3),
        ),
        "upsample()",
    ),
    "channels last around a convolution": (
        written(
            [
                node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
                node("Pad", "t widths", "p"),
                node("Conv", "p w", "c", strides=[2, 2]),
                node("Transpose", "c", "h", perm=[0, 2, 3, 1]),
                node("Add", "h b"),
            ],
            {"w": draw(4, 3, 3, 3), "b": draw(1, 1, 1, 4), "widths": ints(0, 0, 0, 0, 0, 0, 1, 1)},
            ("n", 6, 8, 3),
        ),
        "conv(4, 3, stride=2)",
    ),
    "one way of two": (
        written(
            [
                node("LSTM", "x w r", "h", hidden_size=3, direction="bidirectional"),
                node("Slice", "h one two one", "b"), node("Squeeze", "b one"),
            ],
            {"w": draw(2, 12, 4), "r": draw(2, 12, 3), "one": ints(1), "two": ints(2)},
            (5, "n", 4),
        ),
        'at("..., 3:")',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_tensorflow_and_keras_write_is_one_layer(name):
    model, said = WRITTEN[name]
    ported = port.from_onnx(model) if name != "one way of two" else port.from_onnx(model, draw(5, 2, 4))
    assert said in " ".join(str(ported.net).split()) and "reshape" not in str(ported.net)
    assert ported.verify("gradients").ok


def of_domain(model, domain, version=1):
    model.opset_import.append(helper.make_opsetid(domain, version))
    for output in model.graph.output:
        output.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def test_a_classifier_of_scikit_learn():
    runtime = pytest.importorskip("onnxruntime")
    learn = "ai.onnx.ml"
    coefficients = {"coefficients": draw(12).tolist(), "intercepts": draw(3).tolist(), "classlabels_ints": [0, 1, 2]}
    nodes = [
        node("Scaler", "x", "z", domain=learn, offset=draw(4).tolist(), scale=(1 + draw(4) ** 2).tolist()),
        node("LinearClassifier", "z", "label p", domain=learn, post_transform="SOFTMAX", **coefficients),
        node("Normalizer", "p", "q", domain=learn, norm="L1"),
        node("ZipMap", "q", domain=learn, classlabels_int64s=[0, 1, 2]),
    ]
    model = of_domain(written(nodes, outputs="label y", opset=17), learn)
    x = draw(3, 4)
    ported = port.from_onnx(model)
    assert "fc(3, softmax)" in str(ported.net)
    assert ported.verify("gradients").ok
    plain = of_domain(written(nodes[:3], outputs="q", opset=17), learn)
    (theirs,) = runtime.InferenceSession(plain.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(ported.net.apply(ported.params, ported.state, x)[0], theirs, rtol=1e-4, atol=1e-5)


MICROSOFT = "com.microsoft"
FUSED = {
    "gemm": (
        [node("FusedGemm", "x w b", domain=MICROSOFT, activation="Tanh")], {"w": draw(8, 6), "b": draw(6)},
        "fc(6, tanh)",
    ),
    "gelu": ([node("Gelu", "x", domain=MICROSOFT)], {}, "gelu"),
    "bias gelu": ([node("BiasGelu", "x b", domain=MICROSOFT)], {"b": draw(8)}, "compose_seq(learned_bias(), gelu)"),
    "fast gelu": ([node("FastGelu", "x", domain=MICROSOFT)], {}, "gelu(approximate=True)"),
    "skip norm": (
        [node("Tanh", "x", "h"), node("SkipLayerNormalization", "h x w b", domain=MICROSOFT, epsilon=1e-5)],
        {"w": draw(8), "b": draw(8)},
        "branch(tanh, identity, join=compose_seq(add, layer_norm()))",
    ),
    "rms norm": (
        [node("SimplifiedLayerNormalization", "x w", epsilon=1e-6, axis=-1)], {"w": draw(8)}, "rms_norm()"
    ),
    "attention": (
        [node("Attention", "x w b", "h", domain=MICROSOFT, num_heads=2), node("MatMul", "h o")],
        {"w": draw(8, 24), "b": draw(24), "o": draw(8, 8)},
        "multi_head_attention(2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUSED)
def test_what_onnxruntime_fuses(name):
    runtime = pytest.importorskip("onnxruntime")
    nodes, weights, said = FUSED[name]
    shape = ("n", 8) if name == "gemm" else ("n", 5, 8)
    model, x = of_domain(written(nodes, weights, shape, opset=17), MICROSOFT), draw(3, *shape[1:])
    ported = port.from_onnx(model)
    (theirs,) = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    ours, _ = ported.net.apply(ported.params, ported.state, x)
    assert said in " ".join(str(ported.net).split())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert ported.verify("gradients").ok


def test_attention_that_hides_what_comes_later_is_refused():
    attention = node("Attention", "x w b", domain=MICROSOFT, num_heads=2, unidirectional=1)
    model = of_domain(written([attention], {"w": draw(8, 24), "b": draw(24)}, ("n", 5, 8)), MICROSOFT)
    with pytest.raises(PortError, match="export before optimising"):
        port.from_onnx(model)
