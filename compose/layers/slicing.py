"""Indexing by numbers and slices, as the slice that it is.

`x[...]` of JAX is `lax.slice` where all sizes are known, and a gather where one is open, as the batch size of an export
is. A gather is slower, and LiteRT cannot run one of an open size.
"""

from __future__ import annotations

import operator
from typing import Any

from jax import lax


def take_slice(x: Any, *index: Any) -> Any:
    """`x[index]`, as a slice for integers, slices with positive steps, `...` and None.

    >>> import numpy as np
    >>> take_slice(np.arange(12).reshape(3, 4), ..., slice(2)).shape, int(take_slice(np.arange(3), -1))
    ((3, 2), 2)
    """
    used = sum(i is not None and i is not ... for i in index)
    gap = next((k for k, i in enumerate(index) if i is ...), len(index))
    index = (*index[:gap], *(slice(None),) * (x.ndim - used), *index[gap + 1 :])
    shape = iter(x.shape)
    try:
        cuts = [_cut(i, next(shape)) for i in index if i is not None]
    except (_NoSlice, StopIteration):
        return x[index]
    gone = [axis for axis, i in enumerate(i for i in index if i is not None) if not isinstance(i, slice)]
    if any(i is not None and i != slice(None) for i in index):
        x = lax.slice(x, *zip(*cuts))
    x = lax.squeeze(x, gone) if gone else x
    left = [i for i in index if i is None or isinstance(i, slice)]
    added = [axis for axis, i in enumerate(left) if i is None]
    return lax.expand_dims(x, added) if added else x


class _NoSlice(Exception):
    """An index that `lax.slice` does not have."""


def _cut(index: Any, size: Any) -> tuple[Any, Any, int]:
    """Where a slice of one axis starts and stops, and its step."""
    if isinstance(index, slice) and index == slice(None):
        return 0, size, 1
    if not isinstance(size, int):
        raise _NoSlice
    if isinstance(index, slice):
        start, stop, step = index.indices(size)
        if step < 1:
            raise _NoSlice
        return start, max(start, stop), step
    if isinstance(index, bool) or not hasattr(index, "__index__") or getattr(index, "ndim", 0):
        raise _NoSlice
    at = operator.index(index)
    if not -size <= at < size:
        raise _NoSlice
    at %= size
    return at, at + 1, 1
