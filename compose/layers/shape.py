"""Shape layers: they move numbers and compute none."""

from __future__ import annotations

import math

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_rank, shape_text
from compose.core.function import function
from compose.core.layer import Layer, layer

__all__ = ["broadcast_to", "ensure_shape", "flatten", "permute", "repeat_vector", "reshape", "unflatten"]


@layer
class reshape(Layer):
    """The same numbers in order in another shape, the batch apart: `reshape(7, 7, -1)`.

    Shapes: `(batch, ...) -> (batch, *shape)`; one size may be -1.
    Elsewhere: Keras `Reshape`; torch `reshape`, whose sizes include the batch: `reshape(-1, 8, batch=False)`.
    """

    shape: tuple[int, ...]
    batch: bool = True

    starred = "shape"

    def __init__(self, *shape: int, batch: bool = True, name: str | None = None):
        self.fill(shape=shape, batch=batch, name=name)

    def validate(self):
        if self.shape.count(-1) > 1 or min(self.shape, default=0) < -1:
            raise ConfigError("sizes, at most one of them -1", str(self.shape))

    def forward(self, p, x, ctx):
        expect_rank(x, range(self.batch, 99), "(batch, ...)")
        given = x.shape[1:] if self.batch else x.shape
        size, want = math.prod(given), math.prod(n for n in self.shape if n != -1)
        if size % want if -1 in self.shape and want else size != want:
            raise ShapeError(f"as many numbers as {self.shape} holds", f"{given}, that is {size}")
        return x.reshape(x.shape[:1] + self.shape if self.batch else self.shape)


@layer
class permute(Layer):
    """The axes in another order, the batch's among them: `permute(0, 3, 1, 2)` puts channels first.

    Shapes: those of the axes, in their new order. Elsewhere: torch `permute` the same, as
    `jnp.transpose`; Keras `Permute((3, 1, 2))` leaves out the batch.
    """

    axes: tuple[int, ...]

    starred = "axes"

    def __init__(self, *axes: int, name: str | None = None):
        self.fill(axes=axes, name=name)

    def validate(self):
        if sorted(self.axes) != list(range(len(self.axes))):
            raise ConfigError("every axis once, counted from 0", str(self.axes))

    def forward(self, p, x, ctx):
        expect_rank(x, len(self.axes), f"of {len(self.axes)} axes")
        return jnp.transpose(x, self.axes)


@layer
class broadcast_to(Layer):
    """The input repeated along axes of length 1, the batch apart; -1 for a size that stays.

    Shapes: `(batch, ...) -> (batch, *shape)`. Elsewhere: Keras `ops.broadcast_to`, torch `Tensor.expand`.
    """

    shape: tuple[int, ...]

    starred = "shape"

    def __init__(self, *shape: int, name: str | None = None):
        self.fill(shape=shape, name=name)

    def forward(self, p, x, ctx):
        sizes = x.shape[1:]
        if len(sizes) != len(self.shape) or any(n not in (m, -1) and m != 1 for n, m in zip(self.shape, sizes)):
            raise ShapeError(f"sizes that are 1 or those of {self.shape}", shape_text(x))
        return jnp.broadcast_to(x, (x.shape[0], *(m if n == -1 else n for n, m in zip(self.shape, sizes))))


@layer
class ensure_shape(Layer):
    """The input unchanged, if it has this shape, the batch included; None for a size that is free.

    A network that is right for some sizes alone says so: `ensure_shape(None, 16)` takes sequences of 16.

    Shapes: those given, unchanged. Raises `ShapeError` for another. Elsewhere: TensorFlow `ensure_shape`.
    """

    shape: tuple[int | None, ...]

    starred = "shape"

    def __init__(self, *shape: int | None, name: str | None = None):
        self.fill(shape=shape, name=name)

    def forward(self, p, x, ctx):
        expect_rank(x, len(self.shape), f"of {len(self.shape)} axes")
        if any(n not in (None, m) for n, m in zip(self.shape, x.shape)):
            sizes = ", ".join("any" if n is None else str(n) for n in self.shape)
            raise ShapeError(
                f"({sizes}{',' * (len(self.shape) == 1)}), the only sizes that it is made for", shape_text(x)
            )
        return x


@function
def flatten(x, start: int = 1, end: int = -1):
    """The axes from `start` to `end` as one; by default all after the batch, as Keras and torch `Flatten`.

    Channels last, so a following `fc` sees `(height, width, channels)` in order; torch's sees channels first.

    Shapes: `(batch, ...) -> (batch, n)`. Elsewhere: Keras `Flatten`, torch `Flatten`.
    """
    start, end = start % x.ndim, end % x.ndim
    return x.reshape(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])


@function
def unflatten(x, axis: int, shape: tuple[int, ...]):
    """One axis split into `shape`, one size of which may be -1.

    Shapes: any, `shape` for one axis. Elsewhere: torch `Unflatten`.
    """
    axis, free = axis % x.ndim, math.prod(n for n in shape if n != -1)
    if x.shape[axis] != free if -1 not in shape else x.shape[axis] % free:
        raise ShapeError(f"an axis {axis} that {shape} divides", shape_text(x))
    return x.reshape(*x.shape[:axis], *shape, *x.shape[axis + 1 :])


@function
def repeat_vector(x, times: int):
    """Each example repeated along a new axis of `times`.

    Shapes: `(batch, n) -> (batch, times, n)`. Elsewhere: Keras `RepeatVector`.
    """
    return jnp.broadcast_to(x[:, None], (x.shape[0], times, *x.shape[1:]))
