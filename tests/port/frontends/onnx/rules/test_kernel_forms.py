"""Kernels of convolutions that are parts of initialisers, or these in another shape or order of axes."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from tests.port.frontends.onnx.passes.test_norms import draw, node, written
from tests.port.levels import proofs

WEIGHTS = {"k": draw(4, 4, 3, 3), "large": draw(8, 6, 3, 3), "m": draw(4, 4), "b": draw(4, 2)}
NUMBERS = {
    "zero": [0], "one": [1], "three": [3], "five": [5], "as_1x1": [4, 4, 1, 1], "as_2x2": [4, 1, 2, 2], "the_one": 1,
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


def ported(name):
    read = {n for made in CASES[name] for n in made.input}
    given = WEIGHTS | {n: np.array(a, np.int64) for n, a in NUMBERS.items()}
    return port.from_onnx(written(CASES[name], {n: a for n, a in given.items() if n in read}, ("n", 4, 6, 7), 17))


@proofs(CASES)
def test_equal(name, level):
    assert ported(name).verify(level).ok


@pytest.mark.parametrize(
    ("name", "said"),
    [("rows", 'conv(3, 3, padding="valid", bias=False)'), ("reshaped", "conv(4, 1, bias=False)")],
)
def test_they_are_convolutions(name, said):
    assert str(ported(name).net) == said
