"""Values, weights and constants on either side of an operation, and operations that the standard writes in others."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from compose import port
from tests.port.frontends.onnx.passes.test_norms import IMAGE, draw, ints, node, written

W, SQUARE = {"w": draw(4)}, {"w": draw(4, 4)}
ZERO = {"zero": np.float32(0)}
MEANS = [
    node("GlobalAveragePool", "x", "g"), node("ReduceMean", "g zero", "k"),
    node("Transpose", "k", "t", perm=[1, 0, 2, 3]),
]  # fmt: skip
CASES = {
    "a weight minus": written([node("Sub", "w x")], W),
    "a weight over": written([node("Exp", "x", "h"), node("Div", "w h")], W),
    "a matrix before": written(
        [node("Transpose", "x", "t"), node("MatMul", "w t", "h"), node("Transpose", "h")], SQUARE
    ),
    "a row of values": written([node("Exp", "x", "h"), node("Pow", "h w")], W),
    "a power of two values": written([node("Exp", "x", "h"), node("Pow", "h x")]),
    "the larger of a weight": written([node("Max", "x w")], W),
    "the sum of three": written([node("Sum", "x w x")], W),
    "compared with a weight": written(
        [node("Greater", "x w", "c"), node("Cast", "c", "f", to=1), node("Mul", "f x")], W
    ),
    "chosen from a weight": written([node("Greater", "x zero", "c"), node("Where", "c x w")], W | ZERO),
    "a product with its factor": written([node("Gemm", "x w", alpha=0.5)], SQUARE),
    "a product turned": written([node("Gemm", "x x", "h", transB=1, beta=0.5), node("MatMul", "h x")]),
    "any places": written([node("Gather", "x at", axis=1)], {"at": ints(2, 0)}),
    "places of places": written(
        [node("GatherND", "x at", "h"), node("Mul", "h h")], {"at": np.array([[0, 2], [1, 3]])}, (3, 4)
    ),
    "each place": written(
        [node("GatherElements", "x at", axis=1)], {"at": np.array([[2, 0], [1, 1], [3, 2]])}, (3, 4)
    ),
    "backwards by two": written(
        [node("Slice", "x from to at by")], {"from": ints(-1), "to": ints(-9), "at": ints(1), "by": ints(-2)}
    ),
    "padding of every axis": written([node("Pad", "x p")], {"p": ints(0, 1, 0, 2)}),
    "padding that cuts": written([node("Pad", "x p")], {"p": ints(0, 0, -1, 0, 0, 0, 0, 2)}, IMAGE),
    "the running sum before": written([node("CumSum", "x at", exclusive=1)], {"at": np.int64(1)}),
    "the smallest": written([node("TopK", "x k", "y i", largest=0)], {"k": ints(2)}),
    "one at the largest": written([node("Hardmax", "x", "h"), node("Mul", "h x")]),
    "remainders": written([node("Mod", "x w", fmod=1)], W),
    "a triangle": written([node("Trilu", "x", upper=0)], (), ("n", 4, 4)),
    "the norm of windows": written([node("LpPool", "x", kernel_shape=[2, 2], p=3)], (), IMAGE),
    "slopes of any shape": written([node("PRelu", "x w")], {"w": draw(6, 1)}, IMAGE),
    "a kernel of values": written(
        [node("GlobalAveragePool", "x", "g"), node("ReduceMean", "g zero", "k"), node("Exp", "k", "e"),
         node("Mul", "w e", "v"), node("Conv", "x v", strides=[2, 1], pads=[1, 0, 1, 2])],
        {"w": draw(5, 3, 3, 3), "zero": ints(0)}, (2, 3, 6, 8),
    ),
    "a kernel of values in groups": written(
        [*MEANS, node("Mul", "w t", "v"), node("Conv", "x v", group=3, pads=[1, 1, 1, 1])],
        {"w": draw(3, 1, 3, 3), "zero": ints(0)}, (2, 3, 6, 8),
    ),
    "a transposed kernel of values": written(
        [*MEANS, node("Mul", "w t", "v"),
         node("ConvTranspose", "x v", strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 1])],
        {"w": draw(3, 4, 3, 3), "zero": ints(0)}, (2, 3, 4, 5),
    ),
    "a scan": written(
        [
            helper.make_node(
                "Scan", ["w", "x"], ["s", "y"], num_scan_inputs=1,
                body=helper.make_graph(
                    [node("Mul", "a part", "b"), node("Add", "b part", "c"), node("Identity", "c", "d")], "turn",
                    [helper.make_empty_tensor_value_info("a"), helper.make_empty_tensor_value_info("part")],
                    [helper.make_empty_tensor_value_info("c"), helper.make_empty_tensor_value_info("d")],
                ),
            )
        ],
        {"w": draw(3)}, (2, 3),
    ),
    "a loop": written(
        [
            helper.make_node(
                "Loop", ["n", "yes", "x"], ["y"],
                body=helper.make_graph(
                    [node("Tanh", "a", "b"), node("Mul", "b w", "c"), node("Identity", "go", "on")], "turn",
                    [helper.make_empty_tensor_value_info(name) for name in ("i", "go", "a")],
                    [helper.make_empty_tensor_value_info(name) for name in ("on", "c")],
                ),
            )
        ],
        {"n": np.int64(3), "yes": np.array(True), "w": draw(4)},
    ),
    "written at places": written(
        [node("ScatterElements", "x at w", "h", axis=1), node("ScatterElements", "h at x", axis=1, reduction="add")],
        {"at": np.array([[2, 0, 1, 3], [1, 3, 0, 2]]), "w": draw(2, 4)}, (2, 4),
    ),
    "rows written": written(
        [node("ScatterND", "x at w", "h"), node("Mul", "h x")], {"at": np.array([[2], [0]]), "w": draw(2, 4)}, (3, 4)
    ),
    "the larger at places": written(
        [node("ScatterElements", "x at w", "h", axis=1, reduction="max"),
         node("ScatterElements", "h at x", axis=1, reduction="min")],
        {"at": np.array([[2, 0, 1, 3], [1, 3, 0, 2]]), "w": draw(2, 4)}, (2, 4),
    ),
    "the larger row": written(
        [node("ScatterND", "x at w", "h", reduction="max"), node("Mul", "h x")],
        {"at": np.array([[2], [0]]), "w": draw(2, 4)}, (3, 4),
    ),
    "images at places": written(
        [node("GridSample", "x grid", mode="cubic", padding_mode="reflection")],
        {"grid": np.random.default_rng(1).uniform(-1.3, 1.3, (2, 3, 2, 2)).astype(np.float32)}, (2, 3, 4, 5),
    ),
    "a swish by its body": written([node("Swish", "x", alpha=0.5)], opset=24),
    "a norm by its body": written([node("MeanVarianceNormalization", "x", axes=[2, 3])], (), IMAGE),
    "a shrink by its body": written([node("Shrink", "x", lambd=0.2, bias=0.1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_equal(name):
    assert port.from_onnx(CASES[name]).verify("gradients").ok
