"""Linear algebra: products of batches, factorisations, solutions, and parts of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.plain import emitted, parts, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import BATCH, identity_axes


@rules("aten.tril", "aten.triu")
def _triangle(low, node, x, offset=0):
    name = str(node.target).split(".")[1].removesuffix("_")
    return emitted(low, word(f"ops.{name}")(k=offset) if offset else word(f"ops.{name}"), x)


@rules("aten.diagonal", "aten.diagonal_copy")
def _diagonal(low, node, x, offset=0, axis1=0, axis2=1):
    rank = len(x.shape)
    return emitted(low, word("ops.diagonal")(offset=offset, axis1=axis1 % rank, axis2=axis2 % rank), x)


@rule("aten.diag_embed")
def _diagonal_matrix(low, node, x, offset=0, axis1=-2, axis2=-1):
    """Vectors as the diagonals of matrices of zeros."""
    (x,), shape, rank = plains(low, (x,)), low.shape, len(low.shape)
    size, low.sized = x.shape[-1] + abs(offset), True
    if size % BATCH == 0 or x.shape[-1] % BATCH == 0:
        raise PortError("diagonals of known length")
    long, square = (*x.shape[:-1], size), (*x.shape[:-1], size, size)
    if offset:
        widths = (*((0, 0),) * (x.ndim - 1), (0, abs(offset)))
        x = emitted(low, word("ops.pad")(pad_width=widths), x, shape=long)
    column = (*long, 1) if offset >= 0 else (*x.shape[:-1], 1, size)
    wide = emitted(low, word("ops.expand_dims")(axis=-1 if offset >= 0 else -2), x, shape=column)
    made = emitted(low, word("ops.where"), np.eye(size, k=offset, dtype=bool), wide, 0.0, shape=square)
    places = (axis1 % rank, axis2 % rank)
    if places == (rank - 2, rank - 1):
        return made
    return emitted(low, word("ops.moveaxis")(source=(-2, -1), destination=places), made, shape=shape)


@rule("aten.triangular_solve")
def _triangular_solve(low, node, b, a, upper=True, transpose=False, unitriangular=False):
    given = {"trans": 1} if transpose else {}
    given |= ({} if upper else {"lower": True}) | ({"unit_diagonal": True} if unitriangular else {})
    return emitted(low, word("ops.solve_triangular")(**given), a, b, shape=sizes_of(node.meta["val"][0])), a


@rule("aten.trace")
def _trace(low, node, x):
    return emitted(low, word("ops.trace"), x)


@rules("aten.linalg_inv_ex", "aten.linalg_cholesky_ex", "aten.linalg_solve_ex")
def _checked(low, node, *args, upper=False, left=True, check_errors=False):
    """The result and a code that says no error: JAX gives NaN for one."""
    if not left:
        raise PortError("a system whose unknown is on the right of its matrix")
    fine = np.broadcast_to(np.zeros((), np.int32), sizes_of(node.meta["val"][1]))
    name, shape = str(node.target).split("_")[1], sizes_of(node.meta["val"][0])
    if name == "cholesky":
        return _factor(low, args[0], upper, shape), fine
    return emitted(low, word(f"ops.{name}"), *args[:2], shape=shape), fine


@rule("aten.cholesky")
def _cholesky(low, node, x, upper=False):
    return _factor(low, x, upper, low.shape)


def _factor(low: Any, x: Any, upper: bool, shape: tuple[int, ...]) -> Any:
    """The factor of Cholesky of the triangle that torch reads; its gradient is that of a symmetric matrix."""
    lower = emitted(low, word("ops.cholesky"), _symmetric(low, x, upper), shape=shape)
    return _turned(lower) if upper else lower


def _turned(x: Any) -> Any:
    return x.but(axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _transposed(x: Any) -> Any:
    """The matrices of a value transposed, with their shape."""
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return x.but(shape=tuple(x.shape[a] for a in order), axes=tuple(order.index(a) for a in x.axes))


def _symmetric(low: Any, x: Any, upper: bool) -> Any:
    """The matrix of the triangle that torch reads, with the gradient of a symmetric matrix."""
    (x,) = plains(low, (x,))
    makes, turned = lambda layer, *xs: emitted(low, layer, *xs, shape=x.shape), _turned
    mean = makes(word("scale")(by=0.5), makes(word("add"), x, turned(x)))
    half, rest = ("ops.triu", 1) if upper else ("ops.tril", -1)
    read = makes(word("add"), makes(word(half), x), turned(makes(word(half)(k=rest), x)))
    apart = makes(word("ops.stop_gradient"), makes(word("subtract"), read, mean))
    return makes(word("add"), mean, apart)


@rule("aten._linalg_det")
def _det(low, node, x):
    return emitted(low, word("ops.det"), x, shape=sizes_of(node.meta["val"][0])), None, None


@rule("aten._linalg_slogdet")
def _slogdet(low, node, x):
    return (*parts(low, word("ops.slogdet"), x)[:2], None, None)


@rule("aten._linalg_solve_ex")
def _solve(low, node, a, b, left=True, check_errors=False):
    shape = sizes_of(node.meta["val"][0])
    if not left:
        raise PortError("a system whose unknown is on the right of its matrix")
    vector = len(b.shape) == 1 or (len(a.shape) - 1 == len(b.shape) and tuple(a.shape[:-1]) == tuple(b.shape))
    if not vector:
        return emitted(low, word("ops.solve"), a, b, shape=shape), None, None, None
    a, b = plains(low, (a, b))
    columns = low.emit(word("ops.expand_dims")(axis=-1), b, shape=(*b.shape, 1), axes=identity_axes(b.ndim + 1))
    made = emitted(low, word("ops.solve"), a, columns, shape=(*shape, 1))
    return emitted(low, word("ops.squeeze")(axis=-1), made, shape=shape), None, None, None


@rule("aten.linalg_solve_triangular")
def _solve_triangular(low, node, a, b, upper, left=True, unitriangular=False):
    if len(a.shape) != len(b.shape):
        raise PortError("a triangular system of as many axes as its other side")
    a, b = plains(low, (a, b))
    if not left:
        a, b, upper = _transposed(a), _transposed(b), not upper
    options = {**({} if upper else {"lower": True}), **({"unit_diagonal": True} if unitriangular else {})}
    shape = low.shape if left else (*low.shape[:-2], low.shape[-1], low.shape[-2])
    made = emitted(low, word("ops.solve_triangular")(**options), a, b, shape=shape)
    return made if left else _transposed(made)


@rules("aten._linalg_eigh")
def _eigh(low, node, x, side="L", compute_v=True):
    x = _symmetric(low, x, side == "U")
    if not compute_v or not low.reads(1):
        return emitted(low, word("ops.eigvalsh"), x, shape=sizes_of(node.meta["val"][0])), None
    if side == "U":
        raise PortError("eigenvectors of the lower triangle; their signs are the library's, and others for the upper")
    return parts(low, word("ops.eigh"), x)


@rule("aten._linalg_svd")
def _svd(low, node, x, full_matrices=False, compute_uv=True, driver=None):
    if not compute_uv or not (low.reads(0) or low.reads(2)):
        return None, emitted(low, word("ops.svdvals"), x, shape=sizes_of(node.meta["val"][1])), None
    return parts(low, word("ops.svd")(**({} if full_matrices else {"full_matrices": False})), x)


@rule("aten.linalg_qr")
def _qr(low, node, x, mode="reduced"):
    if mode == "r":
        return None, emitted(low, word("ops.qr")(mode="r"), x, shape=sizes_of(node.meta["val"][1]))
    return parts(low, word("ops.qr")(**({} if mode == "reduced" else {"mode": mode})), x)


@rule("aten.cholesky_inverse")
def _inverse_by_factor(low, node, factor, upper=False):
    return emitted(low, word("ops.inv"), _product(low, factor, upper))


@rule("aten.cholesky_solve")
def _solve_by_factor(low, node, b, factor, upper=False):
    return emitted(low, word("ops.solve"), _product(low, factor, upper), b)


def _product(low: Any, factor: Any, upper: bool) -> Any:
    """The matrix of a factor of Cholesky; torch's gradient too is that of the whole factor."""
    (factor,) = plains(low, (factor,))
    factor = _turned(factor) if upper else factor
    makes = lambda layer, *xs: emitted(low, layer, *xs, shape=factor.shape)
    rest = makes(word("subtract"), makes(word("ops.tril"), factor), factor)
    half = makes(word("add"), factor, makes(word("ops.stop_gradient"), rest))
    return makes(word("matmul"), half, _turned(half))


@rules("aten.linalg_pinv.atol_rtol_tensor", "aten.linalg_pinv.atol_rtol_float")
def _pinv(low, node, x, atol=None, rtol=None, hermitian=False):
    least = max(x.shape[-2:]) * 2.0**-52 if rtol is None else low.number(rtol)
    if (atol is not None and low.number(atol) != 0) or least is None or hermitian:
        raise PortError("a pseudoinverse with a relative bound that is a number, and no other")
    return emitted(low, word("ops.pinv")(rtol=float(least)), x)


@rules("aten.linalg_eigvals", "aten.linalg_eig")
def _eigenvalues(low, node, x):
    if str(node.target).split(".")[1] == "linalg_eigvals":
        return emitted(low, word("ops.eigvals"), x)
    if low.reads(1):
        raise PortError("eigenvectors of a symmetric matrix, whose gradient JAX knows; their values are read of any")
    return emitted(low, word("ops.eigvals"), x, shape=sizes_of(node.meta["val"][0])), None


@rule("aten._pdist_forward")
def _pairs(low, node, x, power: float = 2.0):
    """The distance of each pair of rows."""
    (x,) = plains(low, (x,))
    if x.shape[0] % BATCH == 0:
        raise PortError("distances between known numbers of rows")
    low.sized, rows = True, np.triu_indices(x.shape[0], 1)
    shape = (rows[0].size, x.shape[1])
    first, second = (emitted(low, word("ops.take")(axis=0), x, i, shape=shape) for i in rows)
    apart = emitted(low, word("subtract"), first, second, shape=shape)
    return emitted(low, word("norm")(axis=1, **({} if power == 2 else {"order": float(power)})), apart)


@rule("aten.linalg_matrix_exp")
def _expm(low, node, x):
    return emitted(low, word("ops.expm"), x)


@rule("aten._cdist_forward")
def _distances(low, node, a, b, power: Any, mode=None):
    """The distance of each row of one matrix to each of another."""
    a, b = plains(low, (a, b))
    shape, n = low.shape, a.shape[-1]
    wide = lambda x, at: low.emit(
        word("ops.expand_dims")(axis=at), x, shape=(*x.shape[: x.ndim + 1 + at], 1, *x.shape[x.ndim + 1 + at :]),
        axes=identity_axes(x.ndim + 1),
    )  # fmt: skip
    apart = emitted(low, word("subtract"), wide(a, -2), wide(b, -3), shape=(*shape, n))
    return emitted(low, word("norm")(axis=-1, **({} if power == 2 else {"order": float(power)})), apart)
