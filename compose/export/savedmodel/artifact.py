"""A program of `jax.export` as StableHLO that TensorFlow reads, which is older than what JAX writes."""

from __future__ import annotations

from typing import Any

from jax import export
from jax.interpreters.mlir import make_ir_context  # pyright: ignore[reportAttributeAccessIssue]
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import chlo, func, stablehlo

VERSION = "1.9.0"  # of January 2025; TensorFlow 2.21 has 1.13


def portable(program: export.Exported, expand: bool = False) -> bytes:
    """The program in that version, with composites, such as `erf` and `top_k`, as the functions that they stand for.

    TensorFlow finds out the shapes of an open batch size in operations and functions, but not in composites.

    Args:
        expand: whether transposed convolutions are written as convolutions of an input with zeros between its values,
            since LiteRT's converter gets their padding wrong.
    """
    with make_ir_context() as context:
        stablehlo.register_dialect(context)
        chlo.register_dialect(context)
        module = stablehlo.deserialize_portable_artifact(context, program.mlir_module_serialized)
        for op in _all(module, "stablehlo.composite"):
            with ir.InsertionPoint(op), op.location:
                call = func.CallOp([r.type for r in op.results], op.attributes["decomposition"], list(op.operands))
            for old, new in zip(op.results, call.operation.results):
                old.replace_all_uses_with(new)
            op.erase()
        for op in _all(module, "stablehlo.convolution") if expand else ():
            _expand(op)
        return stablehlo.serialize_portable_artifact(module, VERSION)


def _expand(op: Any) -> None:
    """Put the zeros between the values of the input of a transposed convolution in an operation of their own."""
    if "lhs_dilation" not in op.attributes:
        return
    dilation = list(ir.DenseI64ArrayAttr(op.attributes["lhs_dilation"]))
    if all(d == 1 for d in dilation):
        return
    x, kind = op.operands[0], ir.RankedTensorType(op.operands[0].type)
    axes = stablehlo.ConvDimensionNumbers(op.attributes["dimension_numbers"]).input_spatial_dimensions
    between, sizes = [0] * kind.rank, list(kind.shape)
    for axis, d in zip(axes, dilation):
        between[axis] = d - 1
        sizes[axis] = (sizes[axis] - 1) * d + 1
    with ir.InsertionPoint(op), op.location:
        scalar = ir.RankedTensorType.get([], kind.element_type)
        zero = stablehlo.constant(ir.DenseElementsAttr.get_splat(scalar, ir.FloatAttr.get(kind.element_type, 0.0)))
        none = ir.DenseI64ArrayAttr.get([0] * kind.rank)
        wide = stablehlo.PadOp(
            x, zero, none, none, ir.DenseI64ArrayAttr.get(between),
            results=[ir.RankedTensorType.get(sizes, kind.element_type)],
        )  # fmt: skip
    op.operands[0] = wide.result
    op.attributes["lhs_dilation"] = ir.DenseI64ArrayAttr.get([1] * len(dilation))


def _all(module: Any, name: str) -> list:
    found = []

    def visit(op: Any) -> Any:
        if op.operation.name == name:
            found.append(op.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found
