# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalIterable=false
"""Attention in windows: their positions, and what adds to the scores."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import layers, ops


def window_offsets(window):
    """The row of the bias table for each pair of a window's pixels."""
    at = [(i, j) for i in range(window) for j in range(window)]
    wide = 2 * window - 1
    return [[(a - c + window - 1) * wide + b - d + window - 1 for c, d in at] for a, b in at]


@keras.saving.register_keras_serializable()
class WindowBias(layers.Layer):
    """`scores + embedding[offset]` for each head, between the pixels of a window, as in Swin."""

    def __init__(self, window, heads, **options):
        super().__init__(**options)
        self.window, self.heads = window, heads

    def build(self, _):
        self.embedding = self.add_weight(shape=((2 * self.window - 1) ** 2, self.heads), name="embedding")

    def call(self, scores):
        return scores + ops.moveaxis(ops.take(self.embedding, window_offsets(self.window), axis=0), -1, 0)


@keras.saving.register_keras_serializable()
class CosineWindowBias(layers.Layer):
    """`scores · min(exp(log_scale), 100) + 16 sigmoid(mlp(offset))`, as in Swin V2."""

    def __init__(self, window, hidden, heads, **options):
        super().__init__(**options)
        self.window, self.hidden, self.heads = window, hidden, heads

    def build(self, _):
        self.log_scale = self.add_weight(shape=(self.heads,), name="log_scale")
        self.hidden_kernel = self.add_weight(shape=(2, self.hidden), name="hidden_kernel")
        self.hidden_bias = self.add_weight(shape=(self.hidden,), name="hidden_bias")
        self.out_kernel = self.add_weight(shape=(self.hidden, self.heads), name="out_kernel")

    def call(self, scores):
        along = np.arange(1 - self.window, self.window, dtype=np.float32) / np.float32(self.window - 1) * np.float32(8)
        by = np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)
        at = ops.convert_to_tensor(np.sign(by) * np.log2(np.abs(by) + np.float32(1)) / np.float32(3), scores.dtype)
        table = ops.matmul(ops.relu(ops.matmul(at, self.hidden_kernel) + self.hidden_bias), self.out_kernel)
        bias = 16 * ops.sigmoid(ops.moveaxis(ops.take(table, window_offsets(self.window), axis=0), -1, 0))
        return scores * ops.reshape(ops.exp(ops.minimum(self.log_scale, math.log(100))), (-1, 1, 1)) + bias


def window_grid(space, window, shift):
    """The number of windows along both axes, and by how much each is shifted."""
    counts = [-(-n // window) for n in space]
    return counts, [shift if n > 1 else 0 for n in counts]


def to_windows(x, window, shift):
    """The windows of images `(batch, height, width, n)`, shifted cyclically, as `(batch · windows, window², n)`."""
    (rows, cols), by = window_grid(x.shape[1:3], window, shift)
    x = ops.pad(x, [(0, 0), (0, rows * window - x.shape[1]), (0, cols * window - x.shape[2]), (0, 0)])
    x = ops.roll(x, (-by[0], -by[1]), axis=(1, 2))
    x = ops.swapaxes(ops.reshape(x, (-1, rows, window, cols, window, x.shape[-1])), 2, 3)
    return ops.reshape(x, (-1, window * window, x.shape[-1]))


def from_windows(x, space, window, shift):
    """The images of windows."""
    (rows, cols), by = window_grid(space, window, shift)
    x = ops.swapaxes(ops.reshape(x, (-1, rows, cols, window, window, x.shape[-1])), 2, 3)
    x = ops.reshape(x, (-1, rows * window, cols * window, x.shape[-1]))
    return ops.roll(x, tuple(by), axis=(1, 2))[:, : space[0], : space[1]]


def window_mask(x, space, window, shift):
    """Which pairs of pixels of the windows `(batch · windows, window², n)` were next to each other before the shift."""
    (rows, cols), by = window_grid(space, window, shift)
    regions = []
    for count, n in zip((rows, cols), by):
        end = count * window
        regions.append([(i >= end - window) + (i >= end - n) if n else 0 for i in range(end)])
    region = ops.convert_to_tensor([[3 * a + b for b in regions[1]] for a in regions[0]], "int32")
    region = ops.swapaxes(ops.reshape(region, (rows, window, cols, window)), 1, 2)
    region = ops.reshape(region, (1, rows * cols, window * window))
    region = ops.reshape(
        ops.zeros_like(ops.reshape(x[..., 0], (-1, *region.shape[1:]))) + ops.cast(region, x.dtype),
        (-1, window * window),
    )
    return ops.equal(ops.expand_dims(region, -1), ops.expand_dims(region, 1))
