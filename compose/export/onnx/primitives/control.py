"""Programs inside programs: calls, branches and loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.export.errors import ExportError
from compose.export.onnx.graph import Graph, Value
from compose.export.onnx.program import equations
from compose.export.onnx.registry import primitive


@primitive("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint")
def call(writer, equation, *inputs):
    inner = next(equation.params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in equation.params)
    program, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
    return equations(writer, program, consts, inputs)


@primitive("platform_index")
def platform_index(writer, equation):
    """The form for platforms that have none of their own: it is the one that says what is computed."""
    platforms = equation.params["platforms"]
    return np.asarray(next((i for i, names in enumerate(platforms) if names is None), len(platforms) - 1), np.int32)


@primitive("cond")
def cond(writer, equation, index, *inputs):
    branches = equation.params["branches"]
    if isinstance(index, np.ndarray):
        chosen = branches[int(np.clip(index, 0, len(branches) - 1))]
        return equations(writer, chosen.jaxpr, chosen.consts, inputs)
    raise ExportError("a program that takes the same way for every input", "a choice between programs by a value")


@primitive("copy", "copy_p", "stop_gradient", "optimization_barrier", "reduce_precision", "sharding_constraint",
           "mesh_cast", "name")  # fmt: skip
def unchanged(writer, equation, *inputs):
    return list(inputs)


@primitive("dim_as_value", "dimension_as_value")
def dim_as_value(writer, equation):
    size = writer.sizes((equation.params["dim"],))
    size = writer.cast(size, equation.outvars[0].aval.dtype)
    return writer.reshape(size, ())


@primitive("scan")
def scan(writer, equation, *inputs):
    """ONNX's `Scan`, whose body sees the weights around it by name."""
    p = equation.params
    consts, carries = p["num_consts"], p["num_carry"]
    if "jaxpr" not in p or p.get("length") is None:
        raise ExportError("a loop with a known number of steps", "a loop without one")
    body, outer = p["jaxpr"], writer.graph
    held, start, xs = inputs[:consts], inputs[consts : consts + carries], inputs[consts + carries :]
    if not xs:
        return _unrolled(writer, equation, held, start)
    graph = Graph(outer.opset, outer)
    label = f"{writer.where}/step" if writer.where else "step"
    make = lambda kind, i, shape, dtype: Value(graph.unique(f"{label}/{kind}_{i}"), tuple(shape), np.dtype(dtype))
    carry = [make("carry", i, c.shape, c.dtype) for i, c in enumerate(start)]
    turn = [make("input", i, x.shape[1:], x.dtype) for i, x in enumerate(xs)]
    writer.graph = graph
    try:
        results = equations(writer, body.jaxpr, body.consts, [*held, *carry, *turn])
        results = [_own(writer, r, k) for k, r in enumerate(results)]
    finally:
        writer.graph = outer
    inner = graph.proto(f"{label}/body", [*carry, *turn], results, weights=False)
    outputs = [(v.aval.shape, v.aval.dtype) for v in equation.outvars]
    backward = int(p["reverse"])
    return writer.nodes(
        "Scan", [*start, *xs], outputs, body=inner, num_scan_inputs=len(xs),
        scan_input_directions=[backward] * len(xs),
        scan_output_directions=[backward] * (len(results) - carries) if len(results) > carries else None,
    )  # fmt: skip


def _unrolled(writer, equation, held, start) -> list[Any]:
    body, carries = equation.params["jaxpr"], equation.params["num_carry"]
    if len(body.jaxpr.outvars) > carries:
        raise ExportError("a loop over an input", "a loop that makes its own")
    values = list(start)
    for _ in range(equation.params["length"]):
        values = equations(writer, body.jaxpr, body.consts, [*held, *values])
    return values


def _own(writer, result: Any, index: int) -> Value:
    """A result that the body computes itself, as ONNX wants each of its outputs, once."""
    return writer.node("Identity", result, dtype=result.dtype, shape=result.shape)
