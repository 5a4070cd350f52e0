"""Factors of a matrix in triangles, and solutions by them; torch counts the rows that it exchanges from 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.plain import emitted, part, parts, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.rules.linalg import _transposed


@rule("aten.linalg_lu")
def _lu(low, node, x, pivot=True):
    _refuse_without_pivots(pivot)
    if len(x.shape) == 2:
        return parts(low, word("ops.lu"), x)
    shape = tuple(x.shape)
    rows = (*shape[:-2], min(shape[-2:]))
    lu, pivots = _with_pivots(low, x, shape, rows)
    counted = emitted(low, word("add_constant")(value=1), pivots, shape=rows)
    return _unpacked(low, node, lu, counted)


@rules("aten.linalg_lu_factor", "aten.linalg_lu_factor_ex", "aten._lu_with_info")
def _factors(low, node, x, pivot=True, check_errors=False):
    """Both triangles in one matrix, the rows exchanged, and a code that says no error."""
    _refuse_without_pivots(pivot)
    made = node.meta["val"]
    factors, rows = (sizes_of(v) for v in made[:2])
    lu, pivots = _with_pivots(low, x, factors, rows)
    exchanged = emitted(low, word("add_constant")(value=1), pivots, shape=rows)
    fine = (np.broadcast_to(np.zeros((), np.int32), sizes_of(made[2])),) if len(made) > 2 else ()
    return lu, exchanged, *fine


def _with_pivots(low: Any, x: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """Both triangles, and the rows exchanged, counted from 0."""
    both = low.emit(word("ops.lu_factor"), *plains(low, (x,)), shape=(), axes=())
    return [part(low, both, i, shape) for i, shape in enumerate(shapes)]


@rule("aten.lu_unpack")
def _unpacked(low, node, lu, pivots, unpack_data=True, unpack_pivots=True):
    """The permutation and the triangles of `L` with ones on its diagonal, and of `U`."""
    (lu, pivots), shapes = plains(low, (lu, pivots)), [sizes_of(v) for v in node.meta["val"]]
    low.sized, (rows, columns) = True, lu.shape[-2:]
    made: list[Any] = [None, None, None]
    if unpack_pivots:
        made[0] = _permutation(low, pivots, rows, shapes[0])
    if unpack_data:
        least = min(rows, columns)
        lower = _cut(low, lu, (rows, least))
        below = emitted(low, word("ops.tril")(k=-1), lower, shape=shapes[1])
        made[1] = emitted(low, word("add"), below, np.eye(rows, least), shape=shapes[1])
        made[2] = emitted(low, word("ops.triu"), _cut(low, lu, (least, columns)), shape=shapes[2])
    empty = [np.zeros(s) if m is None else m for m, s in zip(made, shapes)]
    return tuple(empty)


@rule("aten.linalg_lu_solve")
def _solved(low, node, lu, pivots, b, left=True, adjoint=False):
    if not left or adjoint:
        raise PortError("a system whose unknown is on the right of its matrix, and which is not transposed")
    return _by_factors(low, b, lu, pivots)


@rule("aten.lu_solve")
def _solved_by(low, node, b, lu, pivots):
    return _by_factors(low, b, lu, pivots)


def _by_factors(low: Any, b: Any, lu: Any, pivots: Any) -> Any:
    """The solution of `P L U x = b`."""
    b, lu, pivots = plains(low, (b, lu, pivots))
    shape, n = low.shape, lu.shape[-1]
    if b.shape[:-2] != lu.shape[:-2]:
        raise PortError(f"as many right sides as matrices, got {b.shape} for {lu.shape}")
    low.sized = True
    permutation = _permutation(low, pivots, n, (*lu.shape[:-2], n, n))
    turned = emitted(low, word("matmul"), _transposed(permutation), b, shape=shape)
    lower = word("ops.solve_triangular")(lower=True, unit_diagonal=True)
    return emitted(low, word("ops.solve_triangular"), lu, emitted(low, lower, lu, turned, shape=shape), shape=shape)


def _permutation(low: Any, pivots: Any, n: int, shape: tuple[int, ...]) -> Any:
    """The matrix P of `P L U`, from the rows exchanged."""
    counted = emitted(low, word("add_constant")(value=-1), pivots, shape=pivots.shape)
    order = word("ops.lu_pivots_to_permutation")(permutation_size=n)
    rows = emitted(low, order, counted, shape=(*shape[:-2], n))
    return _transposed(emitted(low, word("one_hot")(size=n), rows, shape=shape))


def _cut(low: Any, x: Any, size: tuple[int, int]) -> Any:
    """The first rows and columns of matrices."""
    if x.shape[-2:] == size:
        return x
    return emitted(low, word("at")(f"..., :{size[0]}, :{size[1]}"), x, shape=(*x.shape[:-2], *size))


def _refuse_without_pivots(pivot: bool) -> None:
    if not pivot:
        raise PortError("a factorisation that exchanges rows, got pivot=False")
