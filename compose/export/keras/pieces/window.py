# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalIterable=false
"""Sliding windows of any kind."""

from __future__ import annotations

import itertools
import math

from keras import ops


def windows(x, size, stride, dilation):
    """The values of each window of `(batch, *space, channels)`, on a last axis."""
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    places = [(n - span) // s + 1 for n, span, s in zip(x.shape[1:-1], spans, stride)]
    slides = []
    for at in itertools.product(*map(range, size)):
        rows = zip(at, dilation, places, stride)
        index = [slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, n, s in rows]
        slides.append(x[(slice(None), *index)])
    return ops.stack(slides, axis=-1)


def pad_space(x, widths, value=0):
    """Constants around the spatial axes."""
    return ops.pad(x, [(0, 0), *widths, (0, 0)], constant_values=value)


def mean_of_windows(x, size, stride, padding, overhang, count_padding):
    """The mean of each window; what it has beyond the padding does not count, nor the padding if that is said."""
    ends = [(0, n) for n in overhang]
    total = ops.average_pool(pad_space(pad_space(x, padding), ends), size, stride)
    ones = pad_space(pad_space(ops.ones_like(x), padding, 1 if count_padding else 0), ends)
    return total / ops.average_pool(ones, size, stride)


def root(x, power):
    """`x ** (1 / power)`, with gradient 0 where it is 0."""
    return ops.where(ops.equal(x, 0), 0 * x, ops.where(ops.equal(x, 0), 1 + 0 * x, x) ** (1 / power))


def max_pool_with_places(x, size, stride, padding, dilation):
    """The maximum of each window, and where it lies in the flat space of its example."""
    space = x.shape[1:-1]
    places = ops.reshape(ops.arange(math.prod(space), dtype="int32"), (1, *space, 1))
    places = windows(pad_space(places, padding, -1), size, stride, dilation)
    values = windows(pad_space(x, padding, float("-inf")), size, stride, dilation)
    chosen = ops.one_hot(ops.argmax(values, axis=-1), math.prod(size), dtype="int32")
    return ops.max(values, axis=-1), ops.sum(chosen * places, axis=-1)


def local_response_norm(x, size, alpha, beta, k, axis=-1):
    """`x / (k + alpha / size * total) ** beta`, with the sum of squares of neighbouring channels."""
    axis, n = axis % len(x.shape), x.shape[axis]
    widths = [(0, 0)] * len(x.shape)
    widths[axis] = (size // 2, (size - 1) // 2)
    squares = ops.pad(ops.square(x), widths)
    total = sum(squares[(slice(None),) * axis + (slice(i, i + n),)] for i in range(size))
    return x / (k + alpha / size * total) ** beta
