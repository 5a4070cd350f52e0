"""Products of matrices."""

from __future__ import annotations

import math
import string
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.rules.shape import reshaped
from compose.port.frontends.jax.values import Value, Weight
from compose.port.lowering.values import turned


@rule("jax.dot_general")
def _dot(low, eqn, a, b):
    (over_a, over_b), (same_a, same_b) = eqn.params["dimension_numbers"]
    over_a, over_b, same_a, same_b = (tuple(axes) for axes in (over_a, over_b, same_a, same_b))
    known = b if isinstance(a, Value) else a
    same = same_b if known is b else same_a
    if not _is_kernel(known, same) or _is_alone(low, a, b) or not np.issubdtype(eqn.outputs[0].dtype, np.floating):
        like = a if isinstance(a, Value) else b
        a, b = (filled(low, x, like) for x in (a, b))
        return _values(low, eqn, (a, over_a, same_a), (b, over_b, same_b))
    if isinstance(a, Weight):
        if over_b == (b.ndim - 1,) and not same_b and len(a.shape) == 2:
            shape = (*b.shape[:-1], eqn.outputs[0].shape[0])
            y = low.emit(word("fc")(shape[-1], bias=False), b, weights={"kernel": _kernel(a, over_a)}, shape=shape)
            return low.emit(word("permute")(b.ndim - 1, *range(b.ndim - 1)), y)
        return _einsum(low, (b, over_b, same_b), (a, over_a, same_a), kernel_first=True)
    plain = over_a == (a.ndim - 1,) and not same_a and len(b.shape) == 2
    if plain:
        return low.emit(word("fc")(eqn.outputs[0].shape[-1], bias=False), a, weights={"kernel": _kernel(b, over_b)})
    return _einsum(low, (a, over_a, same_a), (b, over_b, same_b), kernel_first=False)


def _is_kernel(known: Any, same: tuple[int, ...]) -> bool:
    """Whether an operand is a weight of one shape, or one that is repeated for the examples of the other."""
    return isinstance(known, Weight) and all(i in same for i in _repeated(known))


def _is_alone(low: Any, *operands: Any) -> bool:
    """Whether an operand with more than two axes meets a value without a batch, as that of another weight."""
    values = [v for v in operands if isinstance(v, Value)]
    batched = any(n % low.batch == 0 for v in values for n in v.shape)
    return not batched and len(values) < 2 < max(len(v.shape) for v in operands if isinstance(v, Weight))


def _repeated(weight: Weight) -> list[int]:
    return [i for i, (n, m) in enumerate(zip(weight.own, weight.shape)) if n != m]


def _kernel(weight: Weight, over: tuple[int, ...]) -> Weight:
    """A matrix from what it sums over to what it makes."""
    if over == (0,):
        return weight
    return weight.transposed((1, 0)) or weight.taken(turned(weight.view, weight.shape, (1, 0)), weight.shape[::-1])


def _einsum(low: Any, value: tuple, weight: tuple, kernel_first: bool) -> Value:
    """A product with a weight over any axes; `kernel_first` where the weight's free axes come first in the result."""
    (x, over, same), (kernel, kernel_over, kernel_same) = value, weight
    letters = iter(string.ascii_lowercase)
    of_x = [next(letters) for _ in x.shape]
    pairs = dict(zip((*kernel_over, *kernel_same), (*over, *same)))
    apart = _repeated(kernel)
    of_kernel = [of_x[pairs[i]] if i in pairs else next(letters) for i in range(len(kernel.shape))]
    free_x = [c for i, c in enumerate(of_x) if i not in over and i not in same]
    free_kernel = [c for i, c in enumerate(of_kernel) if i not in pairs]
    free = [*free_kernel, *free_x] if kernel_first else [*free_x, *free_kernel]
    batch = [of_x[i] for i in same]
    left, out = "".join(of_x), "".join([*batch, *free])
    right = "".join(c for i, c in enumerate(of_kernel) if i not in apart)
    sizes = tuple(n for i, n in enumerate(kernel.shape) if i not in pairs)
    if apart:  # the same for each example
        shape = tuple(n for i, n in enumerate(kernel.own) if i not in apart)
        kernel = kernel.taken(replace(kernel.view, shape=shape), shape)
        if right in (left[-1] + out[-1], out[-1] + left[-1]) and out[:-1] == left[:-1]:
            matrix = _kernel(kernel, (right.index(left[-1]),))
            return low.emit(word("fc")(matrix.shape[1], bias=False), x, weights={"kernel": matrix})
    return low.emit(word("einsum")(f"{left},{right}->{out}", sizes), x, weights={"kernel": kernel})


def _values(low: Any, eqn: Any, left: tuple, right: tuple) -> Value:
    """The product of two values: permuted for `matmul`, or by its letters where it is over or of several axes."""
    (a, over_a, same_a), (b, over_b, _) = left, right
    if b.ndim == 2 and over_b == (0,) and over_a == (a.ndim - 1,) and not same_a and a.ndim > 1:
        return low.emit(word("matmul"), a, b, shape=eqn.outputs[0].shape)
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
