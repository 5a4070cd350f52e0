"""The outputs of a network for examples: arrays, or batches that come one after another."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, DataError, shape_text
from compose.core.layer import Layer
from compose.core.plan import specs
from compose.core.precision import compute_dtype, wide_specs
from compose.core.run import apply, arguments, as_arrays
from compose.train.alike import check_axes
from compose.train.examples import arrays, brief
from compose.train.finite import Missing, floats
from compose.train.foreign import is_array, is_rows
from compose.train.limits import check_limits, limits_of
from compose.train.progress import counted
from compose.train.stream import Rows, is_stream, opened, tuples


def predict(
    net: Layer, params: Any, state: Any, inputs: Any, x: Any, batch_size: int, precision: Any, verbose: bool
) -> Any:
    """See `Trained.predict`."""
    check_batch_size(batch_size)
    run = functools.partial(_watched(net, compute_dtype(precision)), params, state)
    if is_stream(x) or is_rows(x):
        read, total = opened(Rows(x, batch_size) if is_rows(x) else x), None
        parts: Iterator[Any] = (_check(net, inputs, arrays(_inputs_of(batch, inputs), "x")) for batch in read)
    else:
        x = arrays(x, "x")
        total = len(jax.tree.leaves(x)[0])
        if total:
            _check(net, inputs, x)  # all of them at once, so that an error names the example
        parts = (jax.tree.map(operator.itemgetter(slice(i, i + batch_size)), x) for i in range(0, total, batch_size))
    outs, last, missing = [], (), Missing()
    with counted(verbose, total) as advance:
        for part in parts:
            count = len(jax.tree.leaves(part)[0])
            with np.errstate(over="ignore"):  # `missing` tells of it
                out, finite = run(as_arrays(part))
            outs.append(out)
            missing.look(*last)  # while the next ones are computed
            last = part, out, finite
            if verbose:
                jax.block_until_ready(out)
            advance(count)
    missing.look(*last)
    missing.tell()
    if not outs:
        raise DataError("no examples to predict")
    return outs[0] if len(outs) == 1 else jax.tree.map(lambda *each: jnp.concatenate(each), *outs)


def _check(net: Layer, inputs: Any, x: Any) -> Any:
    """The same, if it is a batch and all integers are within the limits of the layers that read them."""
    check_axes(inputs, x)
    with np.errstate(over="ignore"):
        one = as_arrays(jax.tree.map(lambda a: a[:1], x))
    check_limits(limits_of(net, wide_specs(specs(one))), x)
    return x


def _inputs_of(batch: Any, inputs: Any) -> Any:
    """The network's inputs in a batch, which is x, or (x,), (x, y) or (x, y, sample_weight)."""
    wanted, whole = jax.tree.structure(inputs), batch
    if isinstance(batch, (tuple, list)):
        whole = tuple(map(tuples, batch))
        if not all(part is None or isinstance(part, (tuple, dict)) or is_array(part) for part in whole):
            whole = batch  # a list of numbers
    for found in (whole, *(whole[:1] if isinstance(whole, tuple) else ())):
        if jax.tree.structure(found, is_leaf=_is_leaf) == wanted:
            return found
    got = shape_text(whole) if all(hasattr(leaf, "shape") for leaf in jax.tree.leaves(whole)) else type(batch).__name__
    raise DataError(
        f"each batch must be x, (x, y) or (x, y, sample_weight), with x of shape {shape_text(inputs)}; got {got}"
    )


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (tuple, dict))


def check_batch_size(value: Any) -> None:
    """Raise `ConfigError` unless it is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        several = "predict takes no targets; several inputs are one tuple, predict((a, b))" if is_array(value) else ""
        raise ConfigError("batch_size to be an integer of at least 1", brief(value), several)


@functools.lru_cache(maxsize=128)
def forward(net: Layer, dtype: Any) -> Any:
    """The compiled function of `(params, state, x)` that `predict` runs; remembered."""

    def forward(params, state, x):
        return apply(net, params, state, *arguments(x), precision=dtype)[0]

    return jax.jit(forward)


@functools.lru_cache(maxsize=128)
def _watched(net: Layer, dtype: Any) -> Any:
    """As `forward`, with whether all outputs are finite."""

    def watched(params, state, x):
        out = forward(net, dtype)(params, state, x)
        finite = [jnp.isfinite(a).all() for _, a in floats(out, "")]
        return out, jnp.stack(finite).all() if finite else True

    return jax.jit(watched)
