# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalIterable=false
"""Small functions."""

from __future__ import annotations

from keras import ops


def sparsemax(x, axis):
    """The point of the probability simplex nearest to `x`."""
    z = ops.moveaxis(x, axis, -1)
    largest = -ops.sort(-z, axis=-1)
    count = ops.arange(1, z.shape[-1] + 1, dtype=z.dtype)
    totals = ops.cumsum(largest, axis=-1)
    support = ops.sum(ops.cast(largest * count + 1 > totals, "int32"), axis=-1, keepdims=True)
    cut = (ops.take_along_axis(totals, support - 1, axis=-1) - 1) / ops.cast(support, z.dtype)
    return ops.moveaxis(ops.relu(z - cut), -1, axis)


def masked_bag(rows, real, mode):
    """The sum, mean or maximum of embeddings `(batch, n, size)` where `real`, `(batch, n)`, is true."""
    real = ops.expand_dims(real, -1)
    if mode == "max":
        best = ops.max(ops.where(real, rows, float("-inf")), axis=1)
        return ops.where(ops.any(real, axis=1), best, 0.0)
    total = ops.sum(ops.where(real, rows, 0.0), axis=1)
    if mode == "sum":
        return total
    return total / ops.maximum(ops.sum(ops.cast(real, rows.dtype), axis=1), 1)


def mixture(outputs, logits, top=None):
    """The sum of the experts' outputs, weighted by the softmax of the logits, of the `top` largest alone if given."""
    if top is not None:
        least = ops.top_k(logits, top)[0][..., -1:]
        logits = ops.where(logits >= least, logits, float("-inf"))
    return ops.einsum("...e,...me->...m", ops.softmax(logits), ops.stack(outputs, axis=-1))


def blocks_to_space(x, factor, outermost):
    """Moves channels to blocks of `factor` values along each spatial axis."""
    space, n = x.shape[1:-1], x.shape[-1]
    rank = len(space)
    channels, block = n // factor**rank, [factor] * rank
    x = ops.reshape(x, (-1, *space, *((channels, *block) if outermost else (*block, channels))))
    channel, first = (rank + 1, rank + 2) if outermost else (2 * rank + 1, rank + 1)
    woven = [axis for i in range(rank) for axis in (1 + i, first + i)]
    return ops.reshape(ops.transpose(x, (0, *woven, channel)), (-1, *(size * factor for size in space), channels))


def space_to_blocks(x, factor, outermost):
    """Moves blocks of `factor` values along each spatial axis to channels."""
    space, n = x.shape[1:-1], x.shape[-1]
    rank = len(space)
    x = ops.reshape(x, (-1, *(part for size in space for part in (size // factor, factor)), n))
    outer, inner, channel = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2), 2 * rank + 1
    packed = (channel, *inner) if outermost else (*inner, channel)
    shape = (-1, *(size // factor for size in space), n * factor**rank)
    return ops.reshape(ops.transpose(x, (0, *outer, *packed)), shape)


def integer_lookup(x, vocabulary, unknown, mask_token):
    """The index of each integer in the vocabulary, after those for unknown ones."""
    first = 0 if mask_token is None else 1
    y = first + x % unknown
    for i, known in enumerate(vocabulary):
        y = ops.where(ops.equal(x, known), first + unknown + i, y)
    return y if mask_token is None else ops.where(ops.equal(x, mask_token), 0, y)
