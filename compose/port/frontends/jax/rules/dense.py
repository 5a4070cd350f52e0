"""Products of matrices."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.rules.shape import reshaped
from compose.port.frontends.jax.values import Value, Weight


@rule("jax.dot_general")
def _dot(low, eqn, a, b):
    (over_a, over_b), (same_a, same_b) = eqn.params["dimension_numbers"]
    over_a, over_b, same_a, same_b = (tuple(axes) for axes in (over_a, over_b, same_a, same_b))
    known = b if isinstance(a, Value) else a
    if not _is_kernel(known) or not np.issubdtype(eqn.outputs[0].dtype, np.floating):
        like = a if isinstance(a, Value) else b
        a, b = (low.whole(low.as_value(x, like)) for x in (a, b))
        return _values(low, eqn, (a, over_a, same_a), (b, over_b, same_b))
    if isinstance(a, Weight):
        if over_b == (b.ndim - 1,) and not same_b and len(a.shape) == 2:
            kernel = a if over_a == (0,) else a.transposed((1, 0))
            if kernel is not None:
                shape = (*b.shape[:-1], eqn.outputs[0].shape[0])
                y = low.emit(word("fc")(shape[-1], bias=False), b, weights={"kernel": kernel}, shape=shape)
                return low.emit(word("permute")(b.ndim - 1, *range(b.ndim - 1)), y)
        return _einsum(low, (b, over_b, same_b), (a, over_a, same_a), turned=True)
    plain = over_a == (a.ndim - 1,) and not same_a and len(b.shape) == 2
    if plain:
        kernel = b if over_b == (0,) else b.transposed((1, 0))
        if kernel is None:
            return _einsum(low, (a, over_a, same_a), (b, over_b, same_b), turned=False)
        return low.emit(word("fc")(eqn.outputs[0].shape[-1], bias=False), a, weights={"kernel": kernel})
    return _einsum(low, (a, over_a, same_a), (b, over_b, same_b), turned=False)


def _is_kernel(known: Any) -> bool:
    return isinstance(known, Weight) and known.shape == known.own


def _einsum(low: Any, value: tuple, weight: tuple, turned: bool) -> Value:
    """A product with a weight over any axes; `turned` where the weight's free axes come first in the result."""
    (x, over, same), (kernel, kernel_over, kernel_same) = value, weight
    letters = iter(string.ascii_lowercase)
    of_x = [next(letters) for _ in x.shape]
    pairs = dict(zip((*kernel_over, *kernel_same), (*over, *same)))
    of_kernel = [of_x[pairs[i]] if i in pairs else next(letters) for i in range(len(kernel.shape))]
    free_x = [c for i, c in enumerate(of_x) if i not in over and i not in same]
    free_kernel = [c for i, c in enumerate(of_kernel) if i not in pairs]
    free = [*free_kernel, *free_x] if turned else [*free_x, *free_kernel]
    batch = [of_x[i] for i in same]
    equation = f"{''.join(of_x)},{''.join(of_kernel)}->{''.join([*batch, *free])}"
    sizes = tuple(n for i, n in enumerate(kernel.shape) if i not in pairs)
    return low.emit(word("einsum")(equation, sizes), x, weights={"kernel": kernel})


def _values(low: Any, eqn: Any, left: tuple, right: tuple) -> Value:
    """The product of two values: permuted for `matmul`, or by its letters where it is over or of several axes."""
    made = []
    for (x, over, same), last in ((left, True), (right, False)):
        free = [i for i in range(x.ndim) if i not in over and i not in same]
        if len(free) > 1 or len(over) > 1:
            return _contracted(low, eqn, left, right)
        order = (*same, *free, *over) if last else (*same, *over, *free)
        sizes = lambda axes, x=x: tuple(x.shape[i] for i in axes)
        y = x if order == tuple(range(x.ndim)) else low.emit(word("permute")(*order), x, shape=sizes(order))
        matrix = [math.prod(sizes(free)), math.prod(sizes(over))]
        wanted = (*sizes(same), *(matrix if last else matrix[::-1]))
        made.append(y if wanted == y.shape else reshaped(low, y, wanted))
    a, b = made
    y = low.emit(word("matmul"), a, b, shape=(*a.shape[:-1], b.shape[-1]))
    out = eqn.outputs[0].shape
    return y if y.shape == out else reshaped(low, y, out)


def _contracted(low: Any, eqn: Any, left: tuple, right: tuple) -> Value:
    (a, over_a, same_a), (b, over_b, same_b) = left, right
    letters = iter(string.ascii_lowercase)
    of_a = [next(letters) for _ in a.shape]
    pairs = dict(zip((*over_b, *same_b), (*over_a, *same_a)))
    of_b = [of_a[pairs[i]] if i in pairs else next(letters) for i in range(b.ndim)]
    free = [c for i, c in enumerate(of_a) if i not in (*over_a, *same_a)] + [c for c in of_b if c not in of_a]
    made = "".join([*(of_a[i] for i in same_a), *free])
    equation = f"{''.join(of_a)},{''.join(of_b)}->{made}"
    return low.emit(word("contract")(equation=equation), a, b, shape=eqn.outputs[0].shape)
