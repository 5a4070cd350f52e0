"""Batch norm as one operation, which TensorFlow has in float32 alone, by its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compose.port.frontends.tensorflow.float64.nodes import constant, operation

FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")


def batch_norm(node: Any) -> tuple[list[Any], dict[str, str]]:
    """The nodes that replace this one, and the tensors that replace its second and third output."""
    x, scale, bias, mean, var = node.input
    name = node.name
    made: list[Any] = [constant(f"{name}/epsilon", np.float32(node.attr["epsilon"].f))]

    def op(part: str, kind: str, *reads: str, **attrs: Any) -> str:
        made.append(operation(f"{name}/{part}" if part else name, kind, reads, T=tf.float32, **attrs))
        return f"{name}/{part}:0" if part else f"{name}:0"

    given: dict[str, str] = {}
    if node.attr["is_training"].b:
        made.append(constant(f"{name}/axes", np.arange(3, dtype=np.int32)))
        average = lambda part, of: op(part, "Mean", of, f"{name}/axes:0", Tidx=tf.int32)
        old, seen, mean = (mean, var), None, average("mean", x)
        var = average("var", op("squares", "SquaredDifference", x, op("stop", "StopGradient", mean)))
        seen = op("seen", "Mul", var, _unbiased(made, op, name, x, mean))
        share = node.attr["exponential_avg_factor"].f if "exponential_avg_factor" in node.attr else 1.0
        given = {f"{name}:1": mean, f"{name}:2": seen}
        if share != 1:
            made += [constant(f"{name}/share", np.float32(share)), constant(f"{name}/one", np.float32(1))]
            keep = op("keep", "Sub", f"{name}/one:0", f"{name}/share:0")
            for i, (before, now) in enumerate(zip(old, (mean, seen)), 1):
                kept, new = op(f"kept{i}", "Mul", before, keep), op(f"new{i}", "Mul", now, f"{name}/share:0")
                given[f"{name}:{i}"] = op(f"running{i}", "AddV2", kept, new)
    inverse = op("rsqrt", "Rsqrt", op("add", "AddV2", var, f"{name}/epsilon:0"))
    factor = op("inv", "Mul", inverse, scale)
    shift = op("shift", "Sub", bias, op("moved", "Mul", mean, factor))
    op("", "AddV2", op("scaled", "Mul", x, factor), shift)
    return made, given


def _unbiased(made: list[Any], op: Any, name: str, x: str, mean: str) -> str:
    """n / (n - 1) for n values a channel."""

    def size(part: str, of: str) -> str:
        made.append(operation(f"{name}/{part}", "Size", [of], T=tf.float32, out_type=tf.int32))
        made.append(operation(f"{name}/{part}_wide", "Cast", [f"{name}/{part}:0"], SrcT=tf.int32, DstT=tf.float32))
        return f"{name}/{part}_wide:0"

    made.append(constant(f"{name}/less", np.float32(1)))
    count = op("count", "RealDiv", size("all", x), size("channels", mean))
    return op("unbiased", "RealDiv", count, op("fewer", "Sub", count, f"{name}/less:0"))
