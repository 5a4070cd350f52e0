"""Kernels of convolutions that are parts of initialisers, or these in another shape or order of axes."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from tests.port.frontends.onnx.passes.test_norms import draw, node, written
from tests.port.levels import proofs

WEIGHTS = {"k": draw(4, 4, 3, 3), "large": draw(8, 6, 3, 3), "m": draw(4, 4), "b": draw(4, 2)}
NUMBERS = {
    "zero": [0], "one": [1], "three": [3], "five": [5], "as_1x1": [4, 4, 1, 1], "as_2x2": [4, 1, 2, 2],
}  # fmt: skip
CASES = {
    "rows": [node("Slice", "k zero three zero", "w"), node("Conv", "x w")],
    "columns": [node("Slice", "large one five one", "w"), node("Conv", "x w")],
    "rows and columns": [
        node("Slice", "large one five one", "v"), node("Slice", "v one five zero", "w"), node("Conv", "x w"),
    ],
    "turned": [node("Transpose", "k", "w", perm=[1, 0, 2, 3]), node("Conv", "x w")],
    "reshaped": [node("Reshape", "m as_1x1", "w"), node("Conv", "x w")],
    "of each channel": [node("Reshape", "m as_2x2", "w"), node("Conv", "x w", group=4)],
    "transposed, rows": [node("Slice", "large one five zero", "w"), node("ConvTranspose", "x w")],
    "transposed, rows in groups": [
        node("Slice", "large one five zero", "w"), node("ConvTranspose", "x w", group=2),
    ],
    "transposed, turned in groups": [
        node("Transpose", "k", "w", perm=[0, 1, 3, 2]), node("ConvTranspose", "x w", group=2),
    ],
    "there and back": [node("Conv", "x k", "h"), node("Tanh", "h", "g"), node("ConvTranspose", "g k")],
    "a column as the bias": [node("Gather", "b the_one", "v", axis=1), node("Conv", "x k v")],
}  # fmt: skip


@proofs(CASES)
def test_equal(name, level):
    read = {n for made in CASES[name] for n in made.input}
    numbers = {n: np.array(a, np.int64) for n, a in NUMBERS.items()} | {"the_one": np.array(1, np.int64)}
    given = {n: a for n, a in {**WEIGHTS, **numbers}.items() if n in read}
    assert port.from_onnx(written(CASES[name], given, ("n", 4, 6, 7), 17)).verify(level).ok


@pytest.mark.parametrize("name", ["rows", "reshaped"])
def test_they_are_convolutions(name):
    read = {n for made in CASES[name] for n in made.input}
    given = {n: np.array(NUMBERS[n], np.int64) if n in NUMBERS else WEIGHTS[n] for n in read - {"x", "w"}}
    net = port.from_onnx(written(CASES[name], given, ("n", 4, 6, 7), 17)).net
    assert str(net) == {"rows": 'conv(3, 3, padding="valid", bias=False)', "reshaped": "conv(4, 1, bias=False)"}[name]
