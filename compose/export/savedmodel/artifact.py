"""A program of `jax.export` as StableHLO that TensorFlow reads, which is older than what JAX writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax import export
from jax.interpreters.mlir import make_ir_context  # pyright: ignore[reportAttributeAccessIssue]
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import chlo, func, stablehlo

VERSION = "1.9.0"  # of January 2025; TensorFlow 2.21 has 1.13


def portable(program: export.Exported, rewrite: Callable[[Any], None] | None = None) -> bytes:
    """The program in that version, with composites, such as `erf` and `top_k`, as the functions that they stand for.

    TensorFlow finds out the shapes of an open batch size in operations and functions, but not in composites.

    Args:
        rewrite: changes the module, of MLIR, in place.
    """
    with make_ir_context() as context:
        stablehlo.register_dialect(context)
        chlo.register_dialect(context)
        module = stablehlo.deserialize_portable_artifact(context, program.mlir_module_serialized)
        for op in operations(module, "stablehlo.composite"):
            with ir.InsertionPoint(op), op.location:
                call = func.CallOp([r.type for r in op.results], op.attributes["decomposition"], list(op.operands))
            for old, new in zip(op.results, call.operation.results):
                old.replace_all_uses_with(new)
            op.erase()
        if rewrite is not None:
            rewrite(module)
        return stablehlo.serialize_portable_artifact(module, VERSION)


def operations(module: Any, name: str) -> list:
    """All operations of a kind, those inside loops and functions too."""
    found = []

    def visit(op: Any) -> Any:
        if op.operation.name == name:
            found.append(op.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found
