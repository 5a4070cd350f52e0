"""Values beside constants and initialisers that are longer along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from tests.port.frontends.onnx.passes.test_norms import ints, node, written
from tests.port.frontends.wide_operands import KERNEL, WIDE

OPERATIONS = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")


@pytest.mark.parametrize("wide", [WIDE, np.full((4, 1), 0.7, np.float32)], ids=["an initialiser", "numbers"])
def test_each_operation_repeats_the_value(wide):
    nodes = [node("MatMul", "x k", "h"), node("ReduceMean", "h at", "m"), node("Abs", "m", "a")]
    for i, name in enumerate(OPERATIONS):
        nodes += [node(name, "a wide", f"p{i}"), node(name, "wide a", f"q{i}")]
    nodes += [node("Sum", " ".join(f"p{i} q{i}" for i in range(len(OPERATIONS))), "all"), node("ReduceSum", "all at")]
    given = {"k": KERNEL, "wide": wide, "at": ints(1)}
    assert port.from_onnx(written(nodes, given, ("n", 4, 6))).verify("gradients").ok
