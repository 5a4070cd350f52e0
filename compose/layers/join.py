"""Joins of several inputs into one, for `branch(..., join=...)`. `add`, `subtract`, `multiply` are next to `branch`."""

from __future__ import annotations

import functools

import jax.numpy as jnp

from compose.core.errors import ShapeError, shape_text
from compose.core.function import function
from compose.core.precision import narrow, wide
from compose.layers.reduce import norm

__all__ = [
    "average",
    "concat",
    "contract",
    "cosine_similarity",
    "dot",
    "expand_batch",
    "matmul",
    "maximum",
    "minimum",
    "pairwise_distance",
    "stack_inputs",
]


@function
def average(*xs):
    """The elementwise mean of several inputs.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `Average`.
    """
    return functools.reduce(jnp.add, xs) / len(xs)


@function
def maximum(*xs):
    """The elementwise maximum of several inputs; ties share the gradient, as in torch.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `Maximum`, torch `maximum`.
    """
    return functools.reduce(jnp.maximum, xs)


@function
def minimum(*xs):
    """The elementwise minimum of several inputs; ties share the gradient, as in torch.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `Minimum`, torch `minimum`.
    """
    return functools.reduce(jnp.minimum, xs)


@function
def concat(*xs, axis: int = -1):
    """Several inputs concatenated along `axis`.

    Shapes: equal except along `axis`, to the sum of the lengths along it. Elsewhere: Keras `Concatenate`, torch `cat`.
    """
    return jnp.concatenate(xs, axis=axis)


@function
def stack_inputs(*xs, axis: int = 1):
    """Several inputs stacked along a new `axis`.

    Shapes: equal, to one with a new axis. Elsewhere: Keras `ops.stack`, torch `stack`.
    """
    return jnp.stack(xs, axis=axis)


@function
def expand_batch(x, like):
    """What is computed once, such as learned queries, repeated for each example of another input.

    `branch(parameter(1, 9, 64, batch=False) >> relu, identity, join=expand_batch)`; without a layer in between,
    `parameter(9, 64)` does the same.

    Shapes: `(1, *shape), (batch, ...) -> (batch, *shape)`. Elsewhere: torch `Tensor.expand`, Keras
    `ops.broadcast_to`. Raises `ShapeError` where the first axis is not 1.
    """
    if not x.ndim or x.shape[0] != 1 or not like.ndim:
        raise ShapeError("one input (1, ...) and one (batch, ...)", shape_text((x, like)))
    return jnp.broadcast_to(x, (like.shape[0], *x.shape[1:]))


@function(also=(jnp.matmul,))
def matmul(a, b):
    """The matrix product of two inputs over their last two axes.

    Shapes: `(..., m, k), (..., k, n) -> (..., m, n)`. Elsewhere: Keras `ops.matmul`, torch `matmul`.
    """
    return jnp.matmul(a, b)


@function
def contract(*xs, equation: str):
    """`jnp.einsum` of several inputs: `contract(equation="bqd,bkd->bqk")`.

    Shapes: given by the equation. Elsewhere: Keras `ops.einsum`, torch `einsum`. With a learned kernel, use `einsum`.
    """
    return jnp.einsum(equation, *xs)


@function
def dot(a, b, axes: int | tuple[int, int] = -1, normalize: bool = False):
    """The batched dot product along one axis of each input; Keras `Dot`.

    Shapes: `(batch, *a), (batch, *b) -> (batch, *a', *b')` without those axes, `(batch, 1)` if none is left.
    `normalize=True` computes the cosine similarity instead.
    """
    i, j = (axes, axes) if isinstance(axes, int) else axes
    i, j = i % a.ndim, j % b.ndim
    if a.shape[i] != b.shape[j] or a.shape[0] != b.shape[0] or 0 in (i, j):
        raise ShapeError(f"equal batch sizes, and equal lengths along axes {i} and {j}", shape_text((a, b)))
    if normalize:
        sizes = (jnp.maximum(norm.fn(wide(x), axis=k, keepdims=True), 1e-6) for x, k in ((a, i), (b, j)))
        a, b = (narrow(wide(x) * jnp.reciprocal(size), x) for x, size in zip((a, b), sizes))
    letters = "abcdefghijklmnopqrstuvw"
    left = "z" + letters[: a.ndim - 1]
    right = "z" + letters[a.ndim - 1 : a.ndim + b.ndim - 2]
    kept = left.replace(left[i], "") + right[1:].replace(right[j], "")
    y = jnp.einsum(f"{left},{right.replace(right[j], left[i])}->{kept}", a, b)
    return y[:, None] if y.ndim == 1 else y


@function
def cosine_similarity(a, b, axis: int = -1, epsilon: float = 1e-8):
    """`a · b / (max(|a|, epsilon) max(|b|, epsilon))` along `axis`.

    Shapes: `(..., n), (..., n) -> (...)`. Elsewhere: torch `CosineSimilarity` has `axis=1`, and still
    differentiates norms that are below epsilon.
    """
    sizes = [jnp.maximum(norm.fn(wide(x), axis=axis, keepdims=True), epsilon) for x in (a, b)]
    like = a if a.dtype == jnp.result_type(a, b) else b
    return narrow(jnp.sum((wide(a) / sizes[0]) * (wide(b) / sizes[1]), axis), like)


@function
def pairwise_distance(a, b, order: float = 2.0, epsilon: float = 1e-6, keepdims: bool = False):
    """The `order`-norm of `a - b + epsilon` over the last axis.

    Shapes: `(..., n), (..., n) -> (...)`. Elsewhere: torch `PairwiseDistance`.
    """
    return norm.fn(a - b + epsilon, order=order, keepdims=keepdims)
