"""Dropout as TensorFlow writes it: random numbers, a comparison, a choice. It becomes one node."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compose.core.registry import word
from compose.port.frontends.tensorflow.passes.idioms import Idiom

RANDOM = (
    "RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt", "StatelessRandomUniform",
    "StatelessRandomUniformV2", "StatelessRandomNormal", "StatelessRandomNormalV2", "Multinomial", "RandomGamma",
)  # fmt: skip


def without_draws(nodes: list[Any], idioms: dict[str, Idiom]) -> list[Any]:
    """The nodes with every dropout an identity; which those are is added to `idioms`."""
    by_name = {node.name: node for node in nodes}
    made = []
    for node in nodes:
        found = _dropout(node, by_name)
        if found is not None:
            x, rate = found
            kept = type(node)(name=node.name, op="Identity", input=[x])
            kept.attr["T"].CopyFrom(node.attr["T"])
            made.append(kept)
            if rate:
                idioms[f"{node.name}:0"] = Idiom(word("dropout")(rate), x)
        else:
            made.append(node)
    return made


def _dropout(node: Any, nodes: dict[str, Any]) -> tuple[str, float] | None:
    """What is dropped, and the rate, where a node is the last of a dropout."""
    of = lambda name: nodes[name.rpartition(":")[0]]
    if node.op in ("SelectV2", "Select"):  # where(uniform >= rate, x / (1 - rate), 0)
        test, scaled, _ = map(of, node.input)
    elif node.op == "Mul":  # x / (1 - rate) * cast(uniform >= rate)
        scaled, test = map(of, node.input)
        if test.op != "Cast":
            return None
        test = of(test.input[0])
    else:
        return None
    if test.op != "GreaterEqual" or scaled.op not in ("Mul", "RealDiv"):
        return None
    drawn, rate = of(test.input[0]), _number(of(test.input[1]), of)
    if not _draws(drawn, of) or rate is None:
        return None
    return scaled.input[0], float(f"{rate:.12g}")


def _draws(node: Any, of: Any) -> bool:
    """Whether a node is a uniform number from 0 to 1, also as 0 + 1 · u."""
    while node.op in ("AddV2", "Add", "Mul", "Identity"):
        node = of(node.input[0])
    return node.op in ("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")


def _number(node: Any, of: Any) -> float | None:
    """What a node is that depends on constants alone, as `1 - keep`."""
    if node.op == "Const":
        value = tf.make_ndarray(node.attr["value"].tensor)
        return float(value.ravel()[0]) if value.size == 1 else None
    parts = [_number(of(i), of) for i in node.input] if node.op in ("Identity", "Sub") else [None]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return known[0] - known[1] if len(known) == 2 else known[0]
