"""Models written node by node, as other exporters do, ported and proven."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compose import port
from compose.core.errors import PortError

RNG = np.random.default_rng(0)


def node(op, inputs, output="y", **attributes):
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, output.split(), name=f"the_{op}", **attributes)


def written(nodes, weights=(), shape=("n", 4), opset=20, outputs="y", dtype=TensorProto.FLOAT):
    """A model of one input x; `weights` by name."""
    arrays = [numpy_helper.from_array(np.asarray(a), name) for name, a in dict(weights).items()]
    x = helper.make_tensor_value_info("x", dtype, shape)
    ys = [helper.make_empty_tensor_value_info(name) for name in outputs.split()]
    graph = helper.make_graph(nodes, "written", [x], ys, arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def draw(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


IMAGE = ("n", 3, 6, 8)
HALF, ONE = np.float32(0.5), np.float32(1)
ROOT = np.float32(2**0.5)

LAYER_NORM = [
    node("ReduceMean", "x axes", "m", keepdims=1), node("Sub", "x m", "d"), node("Pow", "d two", "s"),
    node("ReduceMean", "s axes", "v", keepdims=1), node("Add", "v eps", "e"), node("Sqrt", "e", "r"),
    node("Div", "d r", "z"), node("Mul", "z w", "a"), node("Add", "a b"),
]  # fmt: skip
NORM_WEIGHTS = {"axes": ints(-1), "two": np.float32(2), "eps": np.float32(1e-5), "w": draw(4), "b": draw(4)}
GELU = [
    node("Div", "x root", "t"), node("Erf", "t", "e"), node("Add", "e one", "p"), node("Mul", "x p", "q"),
    node("Mul", "q half"),
]  # fmt: skip
DENSE = {"w": draw(4, 5), "b": draw(5)}

CASES = {
    "layer norm": (written(LAYER_NORM, NORM_WEIGHTS), "layer_norm()"),
    "gelu": (written(GELU, {"root": ROOT, "one": ONE, "half": HALF}), "gelu"),
    "matmul and add": (written([node("MatMul", "x w", "h"), node("Add", "b h")], DENSE), "fc(5)"),
    "gemm as stored": (written([node("Gemm", "x w b", "h"), node("Tanh", "h")], DENSE), "fc(5, tanh)"),
    "prelu": (written([node("PRelu", "x w")], {"w": draw(3, 1, 1)}, IMAGE), "prelu(axes=(-1,))"),
    "same padding": (
        written([node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])], {"w": draw(4, 3, 3, 3)}, IMAGE),
        "conv(4, 3, stride=2, bias=False)",
    ),
    "asymmetric pads are those of same": (
        written([node("Conv", "x w", pads=[0, 0, 1, 1], strides=[2, 2])], {"w": draw(4, 3, 3, 3)}, IMAGE),
        "conv(4, 3, stride=2, bias=False)",
    ),
    "depthwise": (
        written([node("Conv", "x w b", group=3, pads=[1, 1, 1, 1])], {"w": draw(6, 1, 3, 3), "b": draw(6)}, IMAGE),
        "conv(6, 3, groups=3)",
    ),
    "transposed": (
        written([node("ConvTranspose", "x w", strides=[2, 2], pads=[1, 1, 1, 1])], {"w": draw(3, 4, 4, 4)}, IMAGE),
        "conv_transpose(4, 4, stride=2, padding=1, bias=False)",
    ),
    "pools": (
        written(
            [
                node("MaxPool", "x", "h", kernel_shape=[2, 2], strides=[2, 2]),
                node("AveragePool", "h", "g", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
                node("GlobalAveragePool", "g", "p"),
                node("Flatten", "p"),
            ],
            shape=IMAGE,
        ),
        "compose_seq( max_pool(), avg_pool(size=3, stride=1, padding=1, count_padding=False), global_avg_pool, )",
    ),
    "instance norm": (
        written([node("InstanceNormalization", "x w b")], {"w": draw(3), "b": draw(3)}, IMAGE), "instance_norm()",
    ),
    "group norm": (
        written([node("GroupNormalization", "x w b", num_groups=3)], {"w": draw(3), "b": draw(3)}, IMAGE, 21),
        "group_norm(groups=3)",
    ),
    "twice as large": (
        written(
            [
                node(
                    "Resize", "x - scales", mode="nearest", coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor",
                )
            ],
            {"scales": np.float32([1, 1, 2, 2])},
            IMAGE,
        ),
        "upsample()",
    ),
    "bilinear": (
        written([node("Resize", "x - - sizes", mode="linear")], {"sizes": ints(1, 3, 9, 5)}, (1, 3, 6, 8)),
        "resize((9, 5))",
    ),
    "blocks": (
        written(
            [node("DepthToSpace", "x", "h", blocksize=2, mode="CRD"), node("SpaceToDepth", "h", blocksize=2)],
            shape=("n", 8, 3, 2),
        ),
        "compose_seq(pixel_shuffle(2), space_to_depth(2))",
    ),
    "a shape of the batch": (
        written(
            [
                node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n at", "u"),
                node("Concat", "u rest", "t", axis=0), node("Reshape", "x t", "h"),
                node("ReduceSum", "h axes", keepdims=0),
            ],
            {"zero": np.int64(0), "at": ints(0), "rest": ints(2, 2), "axes": ints(2)},
        ),
        "compose_seq(reshape(2, 2), ops.sum(axis=2))",
    ),
    "slices": (
        written(
            [
                node("Slice", "x from to last", "a"), node("Split", "x", "b c", num_outputs=2, axis=1),
                node("Concat", "a b c", axis=1),
            ],
            {"from": ints(1), "to": ints(3), "last": ints(-1)},
        ),
        'branch(at(":, 1:3"), at(":, :2"), at(":, 2:"), join=concat)',
    ),
    "padding": (
        written([node("Pad", "x widths", mode="reflect")], {"widths": ints(0, 0, 1, 2, 0, 0, 0, 1)}, IMAGE),
        'pad(((1, 0), (2, 1)), mode="reflect")',
    ),
    "einsum": (
        written([node("Einsum", "x w", equation="nc,cd->nd")], {"w": draw(4, 3)}),
        'einsum("nc,cd->nd", sizes=(3,))',
    ),
    "reverse lstm": (
        written(
            [
                node("Transpose", "x", "t", perm=[1, 0, 2]),
                node("LSTM", "t w r", "h", hidden_size=3, direction="reverse"),
                node("Squeeze", "h one", "g"), node("Transpose", "g", perm=[1, 0, 2]),
            ],
            {"w": draw(1, 12, 4), "r": draw(1, 12, 3), "one": ints(1)},
            ("n", 5, 4),
        ),
        "lstm(3, bias=False, reverse=True)",
    ),
    "gru whose gate comes before": (
        written(
            [
                node("Transpose", "x", "t", perm=[1, 0, 2]), node("GRU", "t w r b", "h last", hidden_size=3),
                node("Squeeze", "last zero"),
            ],
            {"w": draw(1, 9, 4), "r": draw(1, 9, 3), "b": draw(1, 18), "zero": ints(0)},
            ("n", 5, 4),
        ),
        'compose_seq(gru(3, reset_after=False), at(":, -1"))',
    ),
    "hard sigmoid of Keras": (
        written([node("HardSigmoid", "x")]),
        "compose_seq(scale(by=0.2), add_constant(value=0.5), hard_tanh(min_value=0.0))",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_says_and_computes_the_same(name):
    model, said = CASES[name]
    ported = port.from_onnx(model)
    assert " ".join(str(ported.net).split()) == said
    assert ported.verify("gradients").ok


def test_an_old_opset_is_converted():
    old = written([node("Squeeze", "x", "h", axes=[2]), node("Softmax", "h", axis=1)], shape=("n", 4, 1), opset=11)
    assert port.from_onnx(old).verify("gradients").ok


def test_functions_are_inlined():
    body = [helper.make_node("Tanh", ["a"], ["t"]), helper.make_node("Mul", ["a", "t"], ["b"])]
    opsets = [helper.make_opsetid("", 20)]
    twist = helper.make_function("mine", "Twist", ["a"], ["b"], body, opsets)
    model = written([helper.make_node("Twist", ["x"], ["y"], domain="mine")])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(twist)
    ported = port.from_onnx(model)
    assert str(ported.net) == "identity * tanh" and ported.verify("gradients").ok


def test_a_batch_that_the_file_fixes():
    model = written([node("Reshape", "x to")], {"to": ints(3, 2, 2)}, (3, 4))
    ported = port.from_onnx(model)
    assert str(ported.net) == "reshape(2, 2)" and ported.verify("gradients").ok


def test_sizes_that_the_file_leaves_open_are_asked_for():
    model = written([node("Relu", "x")], shape=("n", "time", 4))
    with pytest.raises(PortError, match=r"sizes of x open: \(\?, \?, 4\)"):
        port.from_onnx(model)
    assert str(port.from_onnx(model, draw(2, 5, 4)).net) == "relu"
    with pytest.raises(PortError, match=r"shape \(\?, \?, 4\) for the input x, got \(2, 5, 3\)"):
        port.from_onnx(model, draw(2, 5, 3))


def test_external_data(tmp_path):
    model = written([node("MatMul", "x w")], {"w": draw(4, 5)})
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert port.from_onnx(path).verify("outputs").ok
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(PortError, match=r"files beside it.*weights\.bin"):
        port.from_onnx(path)


def test_outputs_are_those_of_onnxruntime():
    runtime = pytest.importorskip("onnxruntime")
    model, x = written([node("Gemm", "x w b", "h"), node("HardSwish", "h")], DENSE), draw(3, 4)
    ported = port.from_onnx(model)
    (theirs,) = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    ours, _ = ported.net.apply(ported.params, ported.state, x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_weights_that_are_equal_and_constant_belong_to_one_layer_each():
    zeros, w = np.zeros(4, np.float32), draw(4, 4)
    nodes = [node("Gemm", "x v b", "h"), node("Relu", "h", "r"), node("Gemm", "r w b")]
    ported = port.from_onnx(written(nodes, {"v": draw(4, 4), "w": w, "b": zeros}))
    assert str(ported.net) == "compose_seq(fc(4, relu), fc(4))"
    assert sorted(ported.graph.arrays) == ["b", "b.2", "v", "w"]


def test_a_layer_that_is_called_twice_is_shared():
    nodes = [node("Gemm", "x w b", "h"), node("Tanh", "h", "r"), node("Gemm", "r w b", "g"), node("Tanh", "g")]
    ported = port.from_onnx(written(nodes, {"w": draw(4, 4), "b": np.zeros(4, np.float32)}))
    assert str(ported.net).startswith("share(") and ported.verify("gradients").ok
