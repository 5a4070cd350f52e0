"""What LiteRT's converter gets wrong, written as operations that it gets right."""

from __future__ import annotations

from typing import Any

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from compose.export.savedmodel.artifact import operations


def rewrite(module: Any) -> None:
    """Change a StableHLO module in place."""
    for op in operations(module, "stablehlo.convolution"):
        _expand(op)
    for op in operations(module, "stablehlo.dot_general"):
        _in_order(op)
    for op in operations(module, "stablehlo.remainder"):
        _truncated(op)
    for op in operations(module, "stablehlo.cbrt"):
        _of_magnitude(op)


def _truncated(op: Any) -> None:
    """Take the remainder of magnitudes and give it the sign of the first, which it takes from the second there."""
    kind = ir.RankedTensorType(op.results[0].type).element_type
    if isinstance(kind, ir.IntegerType) and (kind.is_unsigned or kind.width < 32):
        return
    a, b = op.operands
    with ir.InsertionPoint(op), op.location:
        rest = stablehlo.remainder(stablehlo.abs(a), stablehlo.abs(b))
        op.results[0].replace_all_uses_with(stablehlo.multiply(stablehlo.sign(a), rest))
    op.erase()


def _of_magnitude(op: Any) -> None:
    """Take the cube root of the magnitude and give it the sign, since it is NaN for negative numbers there."""
    x = op.operands[0]
    with ir.InsertionPoint(op), op.location:
        root = stablehlo.cbrt(stablehlo.abs(x))
        op.results[0].replace_all_uses_with(stablehlo.multiply(stablehlo.sign(x), root))
    op.erase()


def _expand(op: Any) -> None:
    """Put the zeros between the values of the input of a transposed convolution, whose padding it gets wrong."""
    if "lhs_dilation" not in op.attributes:
        return
    dilation = list(ir.DenseI64ArrayAttr(op.attributes["lhs_dilation"]))
    if all(d == 1 for d in dilation):
        return
    kind = ir.RankedTensorType(op.operands[0].type)
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
            op.operands[0], zero, none, none, ir.DenseI64ArrayAttr.get(between),
            results=[ir.RankedTensorType.get(sizes, kind.element_type)],
        )  # fmt: skip
    op.operands[0] = wide.result
    op.attributes["lhs_dilation"] = ir.DenseI64ArrayAttr.get([1] * len(dilation))


def _in_order(op: Any) -> None:
    """Transpose the second operand of a product over several axes, which it takes to be in the order of the first's."""
    numbers = stablehlo.DotDimensionNumbers(op.attributes["dot_dimension_numbers"])
    first, second = list(numbers.lhs_contracting_dimensions), list(numbers.rhs_contracting_dimensions)
    pairs = sorted(zip(first, second))
    places = sorted(second)
    if [b for _, b in pairs] == places:
        return
    kind = ir.RankedTensorType(op.operands[1].type)
    order = list(range(kind.rank))
    for place, (_, b) in zip(places, pairs):
        order[place] = b
    with ir.InsertionPoint(op), op.location:
        moved = stablehlo.TransposeOp(
            op.operands[1], ir.DenseI64ArrayAttr.get(order),
            results=[ir.RankedTensorType.get([kind.shape[axis] for axis in order], kind.element_type)],
        )  # fmt: skip
    op.operands[1] = moved.result
    op.attributes["dot_dimension_numbers"] = stablehlo.DotDimensionNumbers.get(
        list(numbers.lhs_batching_dimensions), list(numbers.rhs_batching_dimensions), [a for a, _ in pairs], places
    )
