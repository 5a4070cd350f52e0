"""Training examples, checked once before anything is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import DataError, shape_text
from compose.core.layer import Layer
from compose.core.precision import wide_specs
from compose.core.run import _warn_if_cut
from compose.train.finite import all_finite, floats, takes_missing, where_not_finite
from compose.train.foreign import as_array, is_list_of_arrays
from compose.train.weights import with_sample_weight


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of `count` examples: arrays on host or device, with examples along the first axis."""

    x: Any
    y: Any
    count: int

    def part(self, start: int, stop: int) -> Examples:
        """The examples `start:stop`."""
        x, y = jax.tree.map(lambda a: a[start:stop], (self.x, self.y))
        return Examples(x, y, stop - start)

    def specs(self, batch: int) -> Any:
        """The abstract input with batch size `batch`; half precision becomes float32, the dtype of the parameters."""
        return wide_specs(jax.tree.map(lambda a: jax.ShapeDtypeStruct((batch, *a.shape[1:]), _dtype(a)), self.x))

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in jax.tree.leaves((self.x, self.y)))


def examples(x: Any, y: Any, sample_weight: Any = None, net: Layer | None = None, batch: bool = False) -> Examples:
    """Check `x` and `y`, each an array or a tuple or dict of arrays; `y` may be None. Weights go along with `y`.

    Raises `DataError` if there are no examples, lengths differ, or values are not real numbers, NaN or infinite. Inputs
    may be, if `net` has finite outputs for them. The weights of a `batch` may all be 0.
    """
    lists = [name for name, given in (("x", x), ("y", y)) if is_list_of_arrays(given)]
    x, y = arrays(x, "x"), None if y is None else arrays(y, "y")
    named = [*_named(x, "x"), *_named(y, "y")]
    _refuse_complex(named)
    counts = {name: len(a) for name, a in named}
    if len(set(counts.values())) > 1:
        lengths = ", ".join(f"{name} has {n}" for name, n in counts.items())
        several = f"; {lists[0]} is a list of arrays, which are its examples: give several as a tuple" if lists else ""
        raise DataError(f"x and y must have the same number of examples: {lengths}{several}")
    count = next(iter(counts.values()))
    if count == 0:
        raise DataError("there are no examples: x and y are empty")
    for name, a in named:
        _check_range(name, a)
    for tree, what, tried in ((x, "x", net), (y, "y", None)):
        bad = [(name, a) for name, a in floats(tree, what) if not all_finite(a)]
        if bad and not (tried is not None and takes_missing(tried, x)):
            raise DataError(f"{where_not_finite(*bad[0])}; drop these examples or fill in the values")
    return Examples(x, with_sample_weight(y, sample_weight, count, batch), count)


def hold_out(data: Examples, fraction: Any) -> tuple[Examples, Examples]:
    """Split off the last `fraction` of the examples, as Keras does.

    Raises `DataError` if one of the two parts would be empty.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
        raise DataError(f"validation must be a fraction between 0 and 1, or a pair (x, y); got {brief(fraction)}")
    at = int(data.count * (1 - fraction))
    if at in (0, data.count):
        raise DataError(f"validation={fraction} of {data.count} examples leaves one of the two parts empty")
    return data.part(0, at), data.part(at, data.count)


def arrays(tree: Any, what: str) -> Any:
    """Convert lists in a tree to arrays. Raises `DataError` for leaves that are not numeric or have no first axis."""
    if isinstance(tree, tuple):
        return tuple(arrays(part, f"{what}[{i}]") for i, part in enumerate(tree))
    if isinstance(tree, dict):
        return {key: arrays(part, f"{what}[{key!r}]") for key, part in tree.items()}
    if hasattr(tree, "toarray") and hasattr(tree, "nnz"):
        raise DataError(f"{what} is a sparse matrix; {what}.toarray() makes it an array")
    if isinstance(tree, np.ma.MaskedArray):
        raise DataError(f"{what} is a masked array; {what}.filled(value) gives what is masked a value")
    if not isinstance(tree, (np.ndarray, jax.Array)):
        array = as_array(tree, what)
        by_default = isinstance(tree, list) or hasattr(tree, "to_numpy")  # of Python and tables: it was not asked for
        tree = array.astype(_dtype(array)) if by_default and array.dtype == np.float64 else array
    if tree.ndim == 0:
        raise DataError(f"{what} must be an array with examples along the first axis; got {tree!r}")
    if not (jnp.issubdtype(tree.dtype, jnp.number) or tree.dtype == bool):
        raise DataError(f"{what} must hold numbers; got {_kind_of(tree, what)}")
    return tree


def _kind_of(array: Any, what: str) -> str:
    """The dtype of an array that holds no numbers, and what to do about it."""
    words = array.dtype.kind in "US" or (
        array.dtype == object and array.size > 0 and all(isinstance(v, str) for v in array.flat)
    )  # fmt: skip
    if words and array.size:
        text = str(array.flat[0])
        hint = f"names, {what} = np.unique({what}, return_inverse=True) numbers it"
        return f"text such as {text!r}; " + (f"{what}.astype('float32') reads it" if _is_number(text) else hint)
    return str(array.dtype)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_complex(named: list[tuple[str, Any]]) -> None:
    for name, a in named:
        if jnp.issubdtype(a.dtype, jnp.complexfloating):
            raise DataError(
                f"{name} must hold real numbers; got {a.dtype} "
                f"(np.stack([{name}.real, {name}.imag], -1) makes two of each)"
            )


def _check_range(name: str, a: Any) -> None:
    if jnp.issubdtype(a.dtype, jnp.floating):
        _warn_if_cut(np.dtype(a.dtype))
    elif a.size and jnp.issubdtype(a.dtype, jnp.integer):
        kept = np.iinfo(_dtype(a))
        low, high = int(a.min()), int(a.max())
        if low < kept.min or high > kept.max:
            raise DataError(f"{name} ranges from {low} to {high}, which does not fit in {kept.dtype}")


def brief(value: Any) -> str:
    """A value in an error; arrays by their shapes."""
    leaves = jax.tree.leaves(value)
    return shape_text(value) if leaves and all(hasattr(leaf, "shape") for leaf in leaves) else f"{value!r:.80}"


def _named(tree: Any, what: str) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(what + jax.tree_util.keystr(path), a) for path, a in paths]


def _dtype(a) -> Any:
    return jax.dtypes.canonicalize_dtype(a.dtype)
