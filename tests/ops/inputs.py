"""Inputs and options for each operation: those of its kind, and what the few that need others take."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from compose import ops
from compose.ops.operation import Operation
from compose.ops.registered import OPERATIONS


def spec(*shape: int, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


X = spec(3, 4)
VECTOR, SQUARE, NUMBER = spec(4), spec(4, 4), spec()
INTEGERS, BOOLS, BYTES = spec(3, 4, dtype=jnp.int32), spec(3, 4, dtype=bool), spec(3, 4, dtype=jnp.uint8)
PLACE = spec(dtype=jnp.int32)

OF_INTEGERS = (
    "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "gcd", "lcm", "population_count",
)  # fmt: skip
OF_SQUARES = ("cholesky", "det", "eigh", "eigvals", "eigvalsh", "expm", "inv", "slogdet")
OF_VECTORS = (
    "convolve", "correlate", "cumulative_prod", "cumulative_sum", "vander", "vecmat", "dot", "matmul", "vecdot",
)  # fmt: skip

WITH_OPTIONS: list[tuple[Operation, tuple]] = [
    (ops.argpartition(kth=2), (X,)),
    (ops.astype(dtype=jnp.int32), (X,)),
    (ops.bincount(length=5), (spec(4, dtype=jnp.int32),)),
    (ops.bitcast_convert_type(new_dtype=jnp.int32), (X,)),
    (ops.block, (X, X)),
    (ops.broadcast_to(shape=(2, 3, 4)), (X,)),
    (ops.clip(min=-0.5, max=0.5), (X,)),
    (ops.collapse(start_dimension=0), (X,)),
    (ops.column_stack, (X, X)),
    (ops.compress(axis=0, size=2), (spec(3, dtype=bool), X)),
    (ops.concatenate(axis=1), (X, X)),
    (ops.conv_general_dilated(window_strides=(2,), padding="SAME"), (spec(2, 3, 8), spec(4, 3, 3))),
    (ops.cross, (spec(2, 3), spec(2, 3))),
    (ops.delete(obj=1, axis=0), (X,)),
    (ops.digitize, (X, VECTOR)),
    (ops.dstack, (X, X)),
    (ops.dynamic_index_in_dim(axis=1), (X, PLACE)),
    (ops.dynamic_slice_in_dim(slice_size=2, axis=1), (X, PLACE)),
    (ops.dynamic_update_slice_in_dim(axis=1), (X, spec(3, 2), PLACE)),
    (ops.einsum(subscripts="ij,kj->ik"), (X, X)),
    (ops.expand_dims(axis=(0, -1)), (X,)),
    (ops.extract(size=3), (BOOLS, X)),
    (ops.fft(axis=0), (X,)),
    (ops.flip(axis=1), (X,)),
    (ops.full_like(fill_value=2.0), (X,)),
    (ops.greater(y=0.5), (X,)),
    (ops.hstack, (X, X)),
    (ops.lu_pivots_to_permutation(permutation_size=4), (spec(2, 3, dtype=jnp.int32),)),
    (ops.interp, (X, VECTOR, VECTOR)),
    (ops.isin, (INTEGERS, spec(2, dtype=jnp.int32))),
    (ops.ldexp, (X, INTEGERS)),
    (ops.logical_and, (BOOLS, BOOLS)),
    (ops.matrix_power(n=3), (SQUARE,)),
    (ops.maximum(y=0.0), (X,)),
    (ops.mean(axis=1, keepdims=True), (X,)),
    (ops.meshgrid(indexing="ij"), (VECTOR, spec(3))),
    (ops.moveaxis(source=0, destination=-1), (X,)),
    (ops.multi_dot, (X, spec(4, 5), spec(5, 2))),
    (ops.multigammaln(d=2), (X,)),
    (ops.nanpercentile(q=50.0), (X,)),
    (ops.nanquantile(q=0.5, axis=0), (X,)),
    (ops.nonzero(size=3), (X,)),
    (ops.one_hot(num_classes=5), (INTEGERS,)),
    (ops.packbits, (BYTES,)),
    (ops.pad(pad_width=((1, 0), (0, 2)), mode="reflect"), (X,)),
    (ops.partition(kth=2), (X,)),
    (ops.percentile(q=50.0, axis=1, method="lower"), (X,)),
    (ops.polygamma, (INTEGERS, X)),
    (ops.polyval, (VECTOR, X)),
    (ops.power(x2=3), (X,)),
    (ops.power(x2=-0.5), (X,)),
    (ops.power(x1=2.0), (X,)),
    (ops.put_along_axis(axis=1, inplace=False), (X, INTEGERS, X)),
    (ops.quantile(q=0.5), (X,)),
    (ops.reduce_precision(exponent_bits=5, mantissa_bits=10), (X,)),
    (ops.repeat(repeats=2, axis=0), (X,)),
    (ops.reshape(shape=(4, 3)), (X,)),
    (ops.resize(new_shape=(5, 2)), (X,)),
    (ops.roll(shift=(1, -2), axis=(0, 1)), (X,)),
    (ops.searchsorted(side="right"), (VECTOR, X)),
    (ops.slice(start_indices=(0, 1), limit_indices=(2, 4)), (X,)),
    (ops.slice_in_dim(start_index=0, limit_index=4, stride=2, axis=1), (X,)),
    (ops.solve, (SQUARE, VECTOR)),
    (ops.solve_triangular(lower=True), (SQUARE, VECTOR)),
    (ops.sort(axis=0, descending=True), (X,)),
    (ops.split(indices_or_sections=2, axis=1), (X,)),
    (ops.squeeze(axis=0), (spec(1, 4),)),
    (ops.stack(axis=-1), (X, X)),
    (ops.sum(axis=(0, 1), dtype=jnp.float16), (X,)),
    (ops.swapaxes(axis1=0, axis2=1), (X,)),
    (ops.take(axis=1, mode="clip"), (X, spec(2, dtype=jnp.int32))),
    (ops.take_along_axis(axis=1), (X, INTEGERS)),
    (ops.tensordot(axes=((0, 1), (0, 1))), (X, X)),
    (ops.tile(reps=(2, 1)), (X,)),
    (ops.top_k(k=2), (X,)),
    (ops.transpose(axes=(1, 0)), (X,)),
    (ops.tril(k=-1), (X,)),
    (ops.unique(size=3), (INTEGERS,)),
    (ops.unpackbits, (BYTES,)),
    (ops.unstack(axis=1), (X,)),
    (ops.var(axis=1, ddof=1), (X,)),
    (ops.vstack, (X, X)),
    (ops.where, (BOOLS, X, X)),
    (ops.where(y=0.0), (BOOLS, X)),
    (ops.zeta, (X, X)),
]


def cases() -> list[tuple[Operation, tuple]]:
    """Each operation with its inputs, some more than once."""
    shown = {op.kind for op, _ in WITH_OPTIONS}
    return WITH_OPTIONS + [(op, _by_kind(name, op)) for name, op in OPERATIONS.items() if name not in shown]


def _by_kind(name: str, op: Operation) -> tuple:
    required = [p for p in op.__signature__.parameters.values() if p.kind < p.VAR_POSITIONAL and p.default is p.empty]
    kinds = {INTEGERS: OF_INTEGERS, SQUARE: OF_SQUARES, VECTOR: OF_VECTORS}
    each = next((x for x, names in kinds.items() if name in names), X)
    return (SQUARE, VECTOR)[: len(required)][::-1] if name == "vecmat" else (each,) * max(1, len(required))
