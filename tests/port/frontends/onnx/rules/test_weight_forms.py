"""Layers of initialisers in another shape: an array that one layer reads stays the file's, or is one of its own."""

from __future__ import annotations

from onnx import TensorProto

from compose import port
from tests.port.frontends.onnx.passes.test_norms import draw, ints, node, written
from tests.port.levels import proofs

WEIGHTS = {"m": draw(4, 6), "cube": draw(2, 3, 4)}
SHAPES = {"as_cube": ints(1, 4, 6), "as_8x3": ints(8, 3), "as_column": ints(24, 1), "as_row": ints(1, 24)}
CASES = {
    "added": ([node("Reshape", "m as_cube", "w"), node("Add", "x w")], (4, 6), ["m"]),
    "subtracted from": ([node("Reshape", "m as_cube", "w"), node("Sub", "w x")], (4, 6), ["m"]),
    "multiplied": ([node("Reshape", "m as_column", "w"), node("Mul", "x w")], (24, 1), ["m"]),
    "a kernel": ([node("Reshape", "cube as_8x3", "w"), node("Gemm", "x w", transB=1)], (3,), ["w"]),
    "a kernel of one row": ([node("Reshape", "m as_row", "w"), node("Gemm", "x w", transB=1)], (24,), ["w"]),
    "read twice": (
        [node("Reshape", "m as_cube", "w"), node("Add", "x w", "h"), node("Mul", "h m")], (4, 6), ["m"],
    ),
}  # fmt: skip


def ported(nodes, shape, dtype=TensorProto.FLOAT):
    read = {n for made in nodes for n in made.input}
    given = {n: a for n, a in (WEIGHTS | SHAPES).items() if n in read}
    return port.from_onnx(written(nodes, given, ("n", *shape), 17, dtype=dtype))


@proofs(CASES)
def test_equal(name, level):
    nodes, shape, arrays = CASES[name]
    p = ported(nodes, shape)
    assert p.verify(level).ok and list(p.graph.arrays) == arrays


def test_a_table():
    p = ported([node("Reshape", "cube as_8x3", "w"), node("Gather", "w x")], (5,), TensorProto.INT64)
    assert p.verify("gradients").ok and list(p.graph.arrays) == ["w"]
