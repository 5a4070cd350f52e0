"""What a file repeats for each example: a weight stays as it is stored where layers broadcast it anyway."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.lowering.batch import alike
from compose.port.lowering.each_example import for_each
from compose.port.lowering.literals import number
from compose.port.lowering.values import BATCH, Value, Weight

_IDLE = {"onnx.Mul": 1, "onnx.Add": 0}
_WITH_NUMBER = ("onnx.Mul", "onnx.Add", "onnx.Sub", "onnx.Div")


def of_one_example(graph: Graph) -> dict[int, np.ndarray]:
    """The constants with the same numbers for each example, by `id`: those of one example."""
    made = {}
    for name, second in graph.varying.items():
        array = graph.constants[name]
        if array.shape != second.shape and alike(array, second) is not None:
            made[id(array)] = array[tuple(slice(0, 1 if n != m else None) for n, m in zip(array.shape, second.shape))]
    return made


def batch_input(low: Any) -> Value:
    """An input whose first axis is the batch, if there is one."""
    inputs = [low.env[name] for name in low.graph.inputs]
    return next((x for x in inputs if x.shape[:1] == (BATCH,)), inputs[0])


def with_rows(low: Any, node: Node, inputs: list) -> Any:
    """The inputs of a node of weights and constants, with values for those that it repeats; a weight if it is one.

    Constants that are the same number everywhere, as exporters write `torch.ones`, say only how many rows there are.
    """
    repeated = [x for x in inputs if low.repeated_to(x) is not None]
    constants = [x for x in repeated if isinstance(x, np.ndarray)]
    weight = next((x for x in inputs if isinstance(x, Weight)), None)
    plain = number(low.alike[id(constants[0])]) if len(constants) == 1 and len(inputs) == 2 else None
    if weight is None or plain is None or node.op not in _WITH_NUMBER:
        return [low.as_value(x) if low.repeated_to(x) is not None else x for x in inputs]
    if plain == _IDLE.get(node.op):
        return Weight.of(weight.view, weight.array)
    wide = for_each(low, weight, low.shape, batch_input(low))
    return [wide if x is weight else np.array(plain) for x in inputs]
