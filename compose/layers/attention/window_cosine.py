"""Cosine self-attention within windows of an image (Swin V2)."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, ShapeError, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.attention.window import Windowed, offsets
from compose.layers.initializers import constant, glorot_uniform, zeros
from compose.layers.norm.local import unit_norm

__all__ = ["cosine_window_attention", "cosine_window_bias"]


@layer
class cosine_window_bias(Layer):
    """`scores · min(exp(log_scale), 100) + 16 sigmoid(mlp(offset))` for each head, between the pixels of a window.

    Liu et al., Swin V2, 2022. The MLP has one hidden layer and takes log-scaled offsets, so that the window can be
    enlarged later. Shapes: `(batch, heads, window², window²)`, unchanged; parameters
    `log_scale (heads,)`, `hidden_kernel (2, hidden)`, `hidden_bias`, `out_kernel (hidden, heads)`.
    """

    window: int
    hidden: int = 512
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    def validate(self):
        if self.window < 2:
            raise ConfigError("a window of at least 2", str(self.window))

    def params(self, x):
        n = self.window**2
        expect_rank(x, 4, "of scores (batch, heads, queries, keys)")
        if x.shape[2:] != (n, n):
            raise ShapeError(f"scores between the {n} pixels of a window", shape_text(x))
        yield "log_scale", Param((x.shape[1],), constant(value=math.log(10)))
        yield "hidden_kernel", Param((2, self.hidden), self.kernel_init)
        yield "hidden_bias", Param((self.hidden,), self.bias_init, fan_in=2)
        yield "out_kernel", Param((self.hidden, x.shape[1]), self.kernel_init)

    def forward(self, p, x, ctx):
        at = jnp.asarray(_log_offsets(self.window), x.dtype)
        table = jax.nn.relu(at @ p["hidden_kernel"] + p["hidden_bias"]) @ p["out_kernel"]
        bias = 16 * jax.nn.sigmoid(table[offsets(self.window)])
        scale = jnp.exp(jnp.minimum(p["log_scale"], math.log(100)))
        return x * scale[:, None, None] + jnp.moveaxis(bias, -1, 0)


@layer
class cosine_window_attention(Windowed):
    """`window_attention` with scores from the cosine of query and key, and no key bias (Swin V2, 2022).

    Shapes: `(batch, height, width, n)`, unchanged. Parameters: those of `multi_head_attention` except `key_bias`, with
    `cosine_window_bias` under `scores`, all under `attention`. Elsewhere: torchvision `ShiftedWindowAttentionV2`, which
    has a key bias and sets it to zero.
    """

    @property
    def attention(self) -> Layer:
        scores = cosine_window_bias(self.window, kernel_init=self.kernel_init, bias_init=self.bias_init)
        return multi_head_attention(
            self.heads, scale=1.0, dropout=self.dropout, bias=self.bias, out_bias=self.bias, key_bias=False,
            rotary=unit_norm(epsilon=1e-24), scores=scores, kernel_init=self.kernel_init, bias_init=self.bias_init,
        )  # fmt: skip


def _log_offsets(w: int) -> np.ndarray:
    """The log-scaled offsets that the MLP takes: `((2w - 1)², 2)`, in float32 as for published weights."""
    along = np.arange(1 - w, w, dtype=np.float32)
    by = np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)
    by = by / np.float32(w - 1) * np.float32(8)
    return np.sign(by) * np.log2(np.abs(by) + np.float32(1)) / np.float32(3)
