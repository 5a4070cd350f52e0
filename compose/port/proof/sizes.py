"""Other sizes than the example's, at which a proof compares too: another batch, and other lengths where they are free.

A size that a model reads as a Python number is a constant in most captures, and at the example's size nothing shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.plan import plan
from compose.core.run import abstract, check_tree
from compose.port.ir.reference import Arrays
from compose.port.proof.report import Row, compare
from compose.port.result import Result

_LONG = 64  # from here on a shorter length is tried, which costs less
_SHOWN = 60

Axes = list[tuple[int, int]]  # (input, axis), those that have one size in common


class Other(NamedTuple):
    """Inputs of other sizes, and the source's outputs for them.

    Attributes:
        refused: what the network does not take, of what was tried; "" if it takes another batch.
    """

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    refused: str = ""


def other_sizes(port: Result, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Other:
    """The example inputs with another batch, and other lengths, as far as both network and source take them.

    The network refuses a size by an error of a layer; the source by any error. `inputs` are empty if no other batch can
    be compared.
    """
    rng = np.random.default_rng([seed, 17])
    reached, refused = Other([], []), ""
    for axes in axes_of_one_size([x.shape for x in inputs]):
        for tried in resized(reached.inputs or inputs, axes, rng):
            if not _taken(port, tried):
                refused = refused or "another batch is refused" if not reached.inputs else refused
                continue
            try:
                reached = Other(tried, [np.asarray(y) for y in _outputs(port, arrays, tried)])
            except Exception:
                continue
            break
        if not reached.inputs:
            break
    return reached if reached.inputs else Other([], [], refused or "the source takes no other batch")


def _outputs(port: Result, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The source's outputs. Raises an error for sizes that it does not take."""
    takes = getattr(port.reference, "takes", None)
    if takes is not None and not takes(inputs):
        raise PortError("sizes that the source takes")
    return port.reference.outputs(arrays, inputs)


def compared_at(other: Other, ours: list[np.ndarray], tolerance: float) -> Row:
    """Compare ours with the source's outputs for inputs of other sizes."""
    if not other.inputs:
        return Row("outputs", other.refused, 0.0, True)
    pairs = {f"output {i}": pair for i, pair in enumerate(zip(ours, other.outputs))}
    shapes = ", ".join(str(x.shape) for x in other.inputs)
    row = compare("outputs", pairs, tolerance)
    what = f"for {shapes if len(shapes) <= _SHOWN else shapes[:_SHOWN] + '…'}"
    return Row("outputs", what, row.error, row.ok, row.worst)


def axes_of_one_size(shapes: list[tuple[int, ...]]) -> Iterator[Axes]:
    """The axes that move together: first those of the batch, then those of each length."""
    batch = next((shape[0] for shape in shapes if shape), None)
    if batch is None:
        return
    yield [(i, 0) for i, shape in enumerate(shapes) if shape and shape[0] == batch]
    lengths: dict[int, Axes] = {}
    for i, shape in enumerate(shapes):
        for axis, n in enumerate(shape):
            if n > 1 and (axis or n != batch):
                lengths.setdefault(n, []).append((i, axis))
    yield from lengths.values()


def resized(inputs: list[np.ndarray], axes: Axes, rng: np.random.Generator) -> Iterator[list[np.ndarray]]:
    """The inputs with these axes longer or shorter, filled from random places of what they had."""
    i, axis = axes[0]
    n = inputs[i].shape[axis]
    if n == 0:  # there is nothing to fill longer inputs from
        return
    sizes = (n // 2,) if axis and n >= _LONG else (n + 3, 2 * n) if axis == 0 else (n + 3, max(n - 3, 1), 2 * n)
    if axis and any(a and _symmetric(inputs[j], 0) for j, a in axes):
        sizes = tuple(size for size in sizes if size < n)  # a part of a positive matrix is positive
    for size in sizes:  # 3 more, since n + 1 may have the half that n has
        places = np.concatenate([np.arange(min(n, size)), rng.integers(n, size=max(size - n, 0))])
        made = list(inputs)
        for j, a in axes:
            made[j] = taken = made[j].take(places, a)
            if taken.dtype.kind == "f" and size > n:  # so that none are equal or depend on each other
                added = (*(slice(None),) * a, slice(n, None))
                each = (*taken[added].shape[:-2], 1, 1) if _symmetric(inputs[j], a) else taken[added].shape
                taken[added] *= rng.uniform(0.5, 1, each)
        yield made


def _symmetric(x: np.ndarray, axis: int) -> bool:
    """Whether the last two axes, if they are behind this one, are those of symmetric matrices, as of positive ones."""
    square = x.dtype.kind == "f" and x.ndim - axis > 2 and x.shape[-1] == x.shape[-2] > 1
    return square and np.allclose(x, x.swapaxes(-1, -2))


def _taken(port: Result, inputs: list[np.ndarray]) -> bool:
    """Whether the network takes inputs of these sizes, with the weights that it has."""
    specs = tuple(jax.ShapeDtypeStruct(x.shape, jnp.dtype(x.dtype)) for x in port.ours(inputs))
    try:
        planned = plan(port.net, abstract(specs))
        check_tree(port.params, planned.params, "parameter")
        check_tree(port.state, planned.state, "state")
    except (ComposeError, TypeError, ValueError):
        return False
    return True


def run_at(port: Result, params: Any, state: Any, other: Other) -> list[np.ndarray]:
    """Our outputs for those inputs, in the source's axes."""
    if not other.inputs:
        return []
    apply: Callable = jax.jit(lambda params, *xs: port.exact.apply(params, state, *xs)[0])
    made = apply(params, *map(jnp.asarray, port.ours(other.inputs)))
    return port.theirs_out([np.asarray(y) for y in jax.tree.leaves(made)])
