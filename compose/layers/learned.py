"""Arrays of the network itself: a scale or a bias per channel, a class token, parameters, buffers, rows of a table."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, StatefulLayer, layer
from compose.core.param import Param
from compose.layers.initializers import normal, ones, zeros

__all__ = ["buffer", "class_token", "fixed_rows", "learned_bias", "learned_scale", "parameter"]


@layer
class learned_scale(Layer):
    """`x * scale`, with one learned factor per channel, or of any `shape` that broadcasts.

    Shapes: any, unchanged; parameter `scale`. LayerScale (Touvron et al., 2021) is initialised small:
    `learned_scale(scale_init=constant(value=1e-6))`.
    """

    shape: tuple[int, ...] | None = None
    scale_init: Initializer = ones

    def params(self, x):
        yield "scale", broadcastable(self.shape, self.scale_init, x)

    def forward(self, p, x, ctx):
        return x * p["scale"]


@layer
class learned_bias(Layer):
    """`x + bias`, with one learned term per channel, or of any `shape` that broadcasts.

    Shapes: any, unchanged; parameter `bias`.
    """

    shape: tuple[int, ...] | None = None
    bias_init: Initializer = zeros

    def params(self, x):
        yield "bias", broadcastable(self.shape, self.bias_init, x)

    def forward(self, p, x, ctx):
        return x + p["bias"]


@layer
class class_token(Layer):
    """Prepends learned tokens to a sequence (Dosovitskiy et al., ViT, 2020).

    Shapes: `(batch, time, n) -> (batch, time + count, n)`; parameter `token (1, count, n)`.
    """

    count: int = 1
    token_init: Initializer = zeros

    def params(self, x):
        expect_rank(x, 3, "(batch, time, features)")
        expect_float(x)
        yield "token", Param((1, self.count, x.shape[-1]), self.token_init)

    def forward(self, p, x, ctx):
        token = jnp.broadcast_to(p["token"], (x.shape[0], *p["token"].shape[1:]))
        return jnp.concatenate([token.astype(x.dtype), x], 1)


@layer
class parameter(Layer):
    """A learned array that does not depend on the input: `parameter(16, 8)`, such as a decoder's queries.

    Shapes: `(batch, ...) -> (batch, *shape)`, the same for each example, or just `shape` with `batch=False`;
    parameter `value`.
    """

    shape: tuple[int, ...]
    batch: bool = True
    init_with: Initializer = normal

    starred = "shape"

    def __init__(self, *shape: int, batch: bool = True, init_with: Initializer = normal, name: str | None = None):
        self.fill(shape=shape, batch=batch, init_with=init_with, name=name)

    def params(self, x):
        yield "value", Param(self.shape, self.init_with)

    def forward(self, p, x, ctx):
        return jnp.broadcast_to(p["value"], (x.shape[0], *self.shape)) if self.batch else p["value"]


@layer
class buffer(StatefulLayer):
    """An array that does not depend on the input and is not trained, such as a mask: `buffer(8, 8, dtype="bool")`.

    Shapes: `(batch, ...) -> (batch, *shape)`, the same for each example, or just `shape` with `batch=False`;
    state `value (*shape)`, zeros until it is set. `register_buffer` in torch, a `Variable` in Flax, a weight that is
    not trainable in Keras.

    >>> from compose import buffer
    >>> buffer(2, 2, dtype="bool").init(0, jnp.zeros((1, 3)))[1]["value"].dtype
    dtype('bool')
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    batch: bool = True

    starred = "shape"

    def __init__(self, *shape: int, dtype: Any = "float32", batch: bool = True, name: str | None = None):
        try:
            kind = jnp.dtype(getattr(dtype, "fn", dtype)).name
        except TypeError:
            raise ConfigError('a dtype, such as dtype="bool"', repr(dtype)) from None
        self.fill(shape=shape, dtype=kind, batch=batch, name=name)

    def state(self, x):
        yield "value", Param(self.shape, zeros, jnp.dtype(self.dtype))

    def forward(self, p, s, x, ctx):
        return (jnp.broadcast_to(s["value"], (x.shape[0], *self.shape)) if self.batch else s["value"]), s


@layer
class fixed_rows(StatefulLayer):
    """Rows of a learned table at fixed indices, whatever the input, such as relative position embeddings.

    Shapes: `(batch, ...) -> (*shape, size)`; parameters `embedding (count, size)`, state `index (*shape)`, integers
    that training does not change; they are zero until set. Elsewhere: `table[index]` in torch, with `index` a buffer.

    >>> from compose import fixed_rows
    >>> fixed_rows(9, 2, (4, 4)).init(0, jnp.zeros((1, 3)))[1]["index"].shape
    (4, 4)
    """

    count: int
    size: int
    shape: tuple[int, ...]
    embedding_init: Initializer = normal(stddev=0.02)

    def params(self, x):
        yield "embedding", Param((self.count, self.size), self.embedding_init)

    def state(self, x):
        yield "index", Param(self.shape, zeros, jnp.int32)

    def forward(self, p, s, x, ctx):
        return jnp.asarray(p["embedding"])[s["index"]], s


def broadcastable(shape: tuple[int, ...] | None, init: Initializer, x) -> Param:
    """A parameter with one value per channel, or of a `shape` that broadcasts to that of `x`."""
    expect_float(x)
    shape = x.shape[-1:] if shape is None else shape
    if len(shape) > x.ndim or any(n not in (1, m) for n, m in zip(shape[::-1], x.shape[::-1])):
        raise ShapeError(f"an input that {shape} broadcasts to", shape_text(x))
    return Param(shape, init, axes=("out",) * len(shape))
