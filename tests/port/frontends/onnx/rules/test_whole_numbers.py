"""Places that a graph computes on."""

from __future__ import annotations

import numpy as np

from compose import port
from tests.port.frontends.onnx.passes.test_norms import ints, node, written
from tests.port.frontends.whole_numbers import COLUMN, KERNEL, ROW

WITH_ONE = ("Add", "Sub", "Mul", "Max", "Min")
WITH_MANY = ("Add", "Sub", "Mul", "Max", "Min")


def test_places_stay_whole_numbers():
    nodes = [node("MatMul", "x k", "h")]
    nodes += [node("TopK", "h four", "sorted i", axis=1), node("Neg", "i", "minus")]
    made = ["minus"]
    for name in WITH_ONE:
        nodes += [node(name, "i one", f"{name}_1"), node(name, "one i", f"{name}_2")]
        made += [f"{name}_1", f"{name}_2"]
    for name in WITH_MANY:
        nodes += [node(name, "i column", f"{name}_column"), node(name, "row i", f"{name}_row")]
        made += [f"{name}_column", f"{name}_row"]
    for one in made:
        nodes += [node("Mod", f"{one} size", f"{one}_at"), node("GatherElements", f"h {one}_at", f"{one}_h", axis=1)]
    nodes.append(node("Sum", " ".join(f"{one}_h" for one in made)))
    given = {"k": KERNEL, "four": ints(4), "one": np.array(1), "size": np.array(4), "column": COLUMN, "row": ROW}
    assert port.from_onnx(written(nodes, given, ("n", 4, 6))).verify("gradients").ok
