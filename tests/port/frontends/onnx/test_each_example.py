"""What a file repeats for each example: initialisers and what is computed of them, by Expand, Tile, ConstantOfShape."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compose import port

RNG = np.random.default_rng(0)
SHAPES = {"b": (4,), "w": (4, 4), "q": (1, 3, 4), "p": (3, 4), "t": (2, 3, 4)}
ARRAYS = {k: RNG.normal(size=s).astype(np.float32) for k, s in SHAPES.items()}
X = RNG.normal(size=(5, 4)).astype(np.float32)


class Writer:
    """Nodes of a graph of the input `x`; each method returns the name of what it adds."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def __call__(self, kind: str, *inputs: str, **options) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [f"v{len(self.nodes)}"], **options))
        return self.nodes[-1].output[0]

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def sizes(self, *rest: int) -> str:
        """The size of the batch, and others."""
        batch = self("Gather", self("Shape", "x"), self.constant(np.array([0])), axis=0)
        return self("Concat", batch, self.constant(np.array(rest, np.int64)), axis=0)

    def expand(self, x: str, *rest: int) -> str:
        return self("Expand", x, self.sizes(*rest))

    def like_x(self, x: str) -> str:
        return self("Expand", x, self("Shape", "x"))

    def tile(self, x: str, *rest: int) -> str:
        return self("Tile", x, self.sizes(*rest))

    def fill(self, number: float, *rest: int) -> str:
        return self(
            "ConstantOfShape", self.sizes(*rest), value=helper.make_tensor("v", TensorProto.FLOAT, [1], [number])
        )

    def wide(self, x: str, *axes: int) -> str:
        return self("Unsqueeze", x, self.constant(np.array(axes)))

    def cat(self, axis: int, *inputs: str) -> str:
        return self("Concat", *inputs, axis=axis)

    def beside_x(self, x: str) -> str:
        return self.cat(1, x, self.wide("x", 1))

    def stack(self, x: str) -> str:
        return self.cat(1, self.wide("x", 1), self.wide(x, 1))

    def rows(self) -> str:
        """Two rows of each example, on the first axis."""
        return self("Reshape", self.stack("x"), self.constant(np.array([-1, 4, 1])))


def model(name: str) -> onnx.ModelProto:
    write = Writer()
    out = CASES[name](write)
    read = {n for node in write.nodes for n in node.input}
    held = {**{k: a for k, a in ARRAYS.items() if k in read}, **write.constants}
    graph = helper.make_graph(
        write.nodes, "model", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, k) for k, a in held.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


CASES = {
    "read twice": lambda w: w("Add", w("MatMul", "x", "w"), w("Mul", w.tile(w.wide("b", 0), 1), "b")),
    "expanded": lambda w: w("Mul", w.like_x("b"), w("MatMul", "x", "w")),
    "expanded twice": lambda w: w("Add", w("Mul", w.like_x("b"), w("MatMul", "x", "w")), w.like_x("b")),
    "a product, tiled": lambda w: w("MatMul", w.tile(w.wide("w", 0), 1, 1), w.wide("x", 2)),
    "a product, expanded": lambda w: w("MatMul", w.expand("w", 4, 4), w.wide("x", 2)),
    "tokens, tiled": lambda w: w("MatMul", w.beside_x(w.tile("q", 1, 1)), "w"),
    "tokens, expanded": lambda w: w("MatMul", w.beside_x(w.expand("q", 3, 4)), "w"),
    "one token, three times": lambda w: w.beside_x(w.expand(w.wide("b", 0, 1), 3, 4)),
    "computed": lambda w: w("MatMul", w.beside_x(w.tile(w("Relu", w("MatMul", "q", "w")), 1, 1)), "w"),
    "computed, expanded": lambda w: w.beside_x(w.expand(w("MatMul", "q", "w"), 3, 4)),
    "computed, and as it is": lambda w: w.cat(1, w.expand(w("Relu", "q"), 3, 4), w("Mul", w.wide("x", 1), "q")),
    "einsum": lambda w: w("Einsum", w.tile("q", 1, 1), "x", equation="bqd,bd->bq"),
    "einsum of rows": lambda w: w("Einsum", "x", w.expand(w.wide("p", 0), 3, 4), equation="bd,bqd->bq"),
    "einsum, read twice": lambda w: w("MatMul", w("Einsum", w.expand("p", 3, 4), "x", equation="bqd,bd->bq"), "p"),
    "zeros": lambda w: w.cat(1, w.fill(0.0, 2), "x"),
    "numbers": lambda w: w.cat(1, w("Mul", w.fill(3.0, 4), "x"), w("Add", "x", w.fill(2.0, 1))),
    "times ones": lambda w: w.cat(1, w("Mul", w.fill(1.0, 1), "b"), "x"),
    "times twos": lambda w: w.cat(1, w("Mul", w.fill(2.0, 1), "b"), "x"),
    "from twos": lambda w: w.cat(1, w("Sub", w.fill(2.0, 1), "b"), "x"),
    "times ones, computed": lambda w: w.cat(1, w("Mul", w.fill(1.0, 1), w("Relu", "b")), "x"),
    "plus zeros": lambda w: w.stack(w("Add", w("ConstantOfShape", w("Shape", "x")), "b")),
    "in a stack": lambda w: w.stack(w.like_x("b")),
    "several": lambda w: w("Add", w.cat(1, w("Mul", w.expand("p", 3, 4), "b"), w.expand("q", 3, 4)), w.wide("x", 1)),
    "an activation after it": lambda w: w.beside_x(w("Relu", w.expand("q", 3, 4))),
    "a product after it": lambda w: w.beside_x(w("MatMul", w.expand("q", 3, 4), "w")),
    "another shape after it": lambda w: w.cat(
        1, w("Reshape", w.expand("q", 3, 4), w.constant(np.array([-1, 12]))), "x"
    ),
    "axes moved after it": lambda w: w.cat(2, w("Transpose", w.expand("q", 3, 4), perm=[0, 2, 1]), w.wide("x", 2)),
    "a sum after it": lambda w: w(
        "Mul", w("ReduceSum", w.expand("q", 3, 4), w.constant(np.array([1])), keepdims=0), "x"
    ),
    "the batch second": lambda w: w.cat(
        0, w("Transpose", w.expand("p", 3, 4), perm=[1, 0, 2]), w("Unsqueeze", "x", w.constant(np.array([0])))
    ),
    "rows of each example": lambda w: w("MatMul", w.tile("t", 1, 1), w.rows()),
    "computed rows": lambda w: w("MatMul", w("Tile", w("Tanh", "t"), w.sizes(1, 1)), w.rows()),
    "where": lambda w: w("Where", w("Greater", "x", w.constant(np.float32(0))), w.like_x("b"), "x"),
    "the output": lambda w: w("Mul", w.expand("q", 3, 4), w.constant(np.float32(2))),
}


@pytest.mark.parametrize(
    "name", [name if i == 0 else pytest.param(name, marks=pytest.mark.slow) for i, name in enumerate(CASES)]
)
def test_equal(name):
    assert port.from_onnx(model(name), X).verify("gradients").ok


TEXTS = {
    "einsum": ["fc(3, bias=False)"],
    "zeros": ["branch(frozen(parameter(2)), identity, join=concat)"],
    "times ones": ["branch(parameter(4), identity, join=concat)"],
    "times twos": ["parameter(4), scale(by=2.0)"],
    "tokens, tiled": ["class_token(count=3)"],
    "one token, three times": ["parameter(1, 4), broadcast_to(3, -1)"],
    "computed": ["@ (h := parameter(4, 4, batch=False)(x))", "expand_batch"],
    "numbers": ["scale(by=3.0)", "add_constant(value=2.0)"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_text(name):
    text = str(port.from_onnx(model(name), X).net)
    assert all(part in text for part in TEXTS[name])
