"""Examples against those that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from compose.core.errors import DataError, ParamsError, shape_text


@contextmanager
def like_trained(inputs: Any) -> Iterator[None]:
    """An error of parameters that do not fit the examples says what examples were like in training."""
    try:
        yield
    except ParamsError as e:
        given = e.trail[0][1] if e.trail else None
        if given is not None and _each(given) != _each(inputs):
            e.hint = f"give examples like those trained on, {_each(inputs)} each; these are {_each(given)}"
        raise


def check_axes(inputs: Any, x: Any) -> None:
    """Raise `DataError` for inputs with fewer axes than in training, or complex ones where those were real."""
    if jax.tree.structure(inputs) != jax.tree.structure(x):
        return
    for spec, given in zip(jax.tree.leaves(inputs), jax.tree.leaves(x)):
        if given.dtype.kind == "c" and spec.dtype.kind != "c":
            raise DataError(f"x must hold real numbers, as in training; got {given.dtype}")
        if given.ndim < spec.ndim:
            one = "; x[None] makes a batch of one example" if given.shape == spec.shape[1:] else ""
            raise DataError(
                f"x must be a batch of examples like those trained on, {_each(inputs)} each; got {given.shape}{one}"
            )


def _each(tree: Any) -> str:
    return shape_text(jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), tree))
