"""Examples: checked once, before anything is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import DataError
from compose.core.run import _warn_if_cut


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of `count` examples: trees of arrays, on the host or the device, the first axis theirs."""

    x: Any
    y: Any
    count: int

    def part(self, start: int, stop: int) -> Examples:
        """The examples from `start` to `stop`."""
        x, y = jax.tree.map(lambda a: a[start:stop], (self.x, self.y))
        return Examples(x, y, stop - start)

    def specs(self, batch: int) -> Any:
        """The abstract input for a batch of that many."""
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct((batch, *a.shape[1:]), _dtype(a)), self.x)

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in jax.tree.leaves((self.x, self.y)))


def examples(x: Any, y: Any) -> Examples:
    """Take `x` and `y`: an array or a tuple of arrays each.

    Raises `DataError` for no examples, lengths that differ, what is not numbers, NaN and infinity.
    """
    x, y = (arrays(tree, what) for tree, what in ((x, "x"), (y, "y")))
    named = [*_named(x, "x"), *_named(y, "y")]
    counts = {name: len(a) for name, a in named}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} has {n}" for name, n in counts.items())
        raise DataError(f"x and y must have as many examples as each other: {said}")
    count = next(iter(counts.values()))
    if count == 0:
        raise DataError("there are no examples: x and y are empty")
    for name, a in named:
        _check_numbers(name, a)
    return Examples(x, y, count)


def hold_out(data: Examples, fraction: Any) -> tuple[Examples, Examples]:
    """The examples without their last `fraction`, and that last part, as Keras splits them.

    Raises `DataError` where one of the two would be empty.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
        raise DataError(f"validation must be a fraction between 0 and 1, or a pair (x, y); got {fraction!r}")
    at = int(data.count * (1 - fraction))
    if at in (0, data.count):
        raise DataError(f"validation={fraction} of {data.count} examples leaves one of the two parts empty")
    return data.part(0, at), data.part(at, data.count)


def arrays(tree: Any, what: str) -> Any:
    """A tree of arrays as it is, lists as arrays. Raises `DataError` for what is not numbers of examples."""
    if isinstance(tree, tuple):
        return tuple(arrays(part, f"{what}[{i}]") for i, part in enumerate(tree))
    if isinstance(tree, dict):
        return {key: arrays(part, f"{what}[{key!r}]") for key, part in tree.items()}
    if not isinstance(tree, (np.ndarray, jax.Array)):
        try:
            made = np.asarray(tree)
            listed = isinstance(tree, list) and made.dtype == np.float64  # Python's floats: nobody chose 64 bits
            tree = made.astype(_dtype(made)) if listed else made
        except ValueError as e:
            raise DataError(f"{what} must be an array, or a tuple of arrays: {e}") from None
    if tree.ndim == 0:
        raise DataError(f"{what} must be an array whose first axis counts the examples; got {tree!r}")
    if not (jnp.issubdtype(tree.dtype, jnp.number) or tree.dtype == bool):
        raise DataError(f"{what} must hold numbers; got {tree.dtype}")
    return tree


def _check_numbers(name: str, a: Any) -> None:
    if jnp.issubdtype(a.dtype, jnp.floating):
        _warn_if_cut(np.dtype(a.dtype))
        with np.errstate(over="ignore", invalid="ignore"):
            total = a.sum()  # finite only if every number is, and cheaper than asking each
        if not np.isfinite(total) and len(bad := np.argwhere(~np.isfinite(np.asarray(a)))):
            at = tuple(map(int, bad[0]))
            many = f", the first of {len(bad)}" if len(bad) > 1 else ""
            raise DataError(f"{name} has {a[at]} at {list(at)}{many}; drop or fill such examples first")
    elif a.size and jnp.issubdtype(a.dtype, jnp.integer):
        kept = np.iinfo(_dtype(a))
        low, high = int(a.min()), int(a.max())
        if low < kept.min or high > kept.max:
            raise DataError(f"{name} goes from {low} to {high}, which {kept.dtype} cannot hold")


def _named(tree: Any, what: str) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(what + jax.tree_util.keystr(path), a) for path, a in paths]


def _dtype(a) -> Any:
    return jax.dtypes.canonicalize_dtype(a.dtype)
