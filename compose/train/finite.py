"""Inputs that are NaN or infinite: where they are, and whether a network can do with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from compose.core.errors import LayerError
from compose.core.layer import Layer
from compose.core.run import arguments, as_arrays
from compose.core.warning import warn

FEW = 256  # examples that a network is tried with


def all_finite(array: Any) -> bool:
    """Whether all numbers of an array are finite, in the precision that JAX computes with."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()  # finite only if every number is, and cheaper than checking each
        if np.isfinite(np.asarray(total, jax.dtypes.canonicalize_dtype(array.dtype))):
            return True
    return not _bad(array).any()


def where_not_finite(name: str, array: Any, before: int = 0) -> str:
    """The first number that is not, its place, and how many there are; after `before` other examples."""
    bad = np.argwhere(_bad(array))
    first = tuple(map(int, bad[0]))
    place = [first[0] + before, *first[1:]]
    many = f", the first of {len(bad)}" if len(bad) > 1 else ""
    kept = jax.dtypes.canonicalize_dtype(array.dtype)
    limit = f", which is infinite in {kept}" if np.isfinite(np.asarray(array[first])) else ""
    return f"{name} has {array[first]} at {place}{limit}{many}"


def floats(tree: Any, what: str) -> Iterator[tuple[str, Any]]:
    """The arrays of floats in a tree, with their names."""
    for path, a in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(a.dtype, jnp.floating):
            yield what + jax.tree_util.keystr(path), a


def rows_not_finite(tree: Any) -> Any:
    """For each example, whether one of its numbers is not finite."""
    found: Any = False
    for _, a in floats(tree, ""):
        found = found | _bad(a).reshape(len(a), -1).any(1)
    return found


def takes_missing(net: Layer, x: Any) -> bool:
    """Whether a network has finite outputs where its inputs are not, such as one that fills in, by fresh parameters."""
    rows = np.flatnonzero(rows_not_finite(x))[:FEW]
    with np.errstate(over="ignore"):
        given = arguments(as_arrays(jax.tree.map(lambda a: np.asarray(a)[rows], x)))
    try:
        outputs = net.apply(*net.init(0, *given), *given)[0]
    except LayerError:  # it does not fit, which another check explains
        return False
    return all(all_finite(a) for _, a in floats(outputs, ""))


class Missing:
    """Counts the predictions that are not finite where the inputs are not, to warn of them once."""

    def __init__(self):
        self.seen, self.count, self.first = 0, 0, ""

    def look(self, x: Any = None, out: Any = None, finite: Any = True) -> None:
        """At some examples and their outputs, if these are not all finite."""
        if isinstance(finite, Tracer):
            return
        if not finite:
            inputs, outputs = rows_not_finite(x), rows_not_finite(out)
            both = inputs & (outputs if np.shape(outputs) == np.shape(inputs) else True)
            if np.any(both) and not self.first:
                name, array = next((name, a) for name, a in floats(x, "x") if not all_finite(a))
                self.first = where_not_finite(name, array, self.seen)
            self.count += int(np.sum(both))
        self.seen += 0 if x is None else len(jax.tree.leaves(x)[0])

    def tell(self) -> None:
        if self.count:
            verb = "prediction is" if self.count == 1 else "predictions are"
            warn(f"{self.count} {verb} not finite, since {self.first}")


def _bad(array: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        return ~np.isfinite(np.asarray(array).astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False))
