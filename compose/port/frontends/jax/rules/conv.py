"""Convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import lax

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.values import Value, Weight


def one(values: Any) -> Any:
    """One number for a tuple of equal numbers; pairs stay, since two numbers are those of two axes."""
    alike = isinstance(values, tuple) and len(set(values)) == 1 and not isinstance(values[0], tuple)
    return values[0] if alike else values


@rule("jax.conv_general_dilated")
def _conv(low, eqn, x, kernel):
    p = eqn.params
    lhs, rhs, out = (tuple(map(int, s)) for s in p["dimension_numbers"])
    rank = len(lhs) - 2
    if p["batch_group_count"] != 1:
        raise PortError("a convolution without batch_group_count")
    like = next(v for v in (x, kernel) if isinstance(v, Value))
    x = filled(low, x, like)
    order = (lhs[0], *lhs[2:], lhs[1])
    x = _turned(low, x, order)
    turned = (*rhs[2:], rhs[1], rhs[0])
    shape = tuple(eqn.outputs[0].shape[i] for i in (out[0], *out[2:], out[1]))
    strides, lhs_dilation, dilation = (
        tuple(map(int, p[k])) for k in ("window_strides", "lhs_dilation", "rhs_dilation")
    )
    padding = tuple(tuple(map(int, pair)) for pair in p["padding"])
    groups, wide = int(p["feature_group_count"]), None
    if isinstance(kernel, Weight) and kernel.shape == kernel.own:
        wide = kernel if turned == tuple(range(rank + 2)) else kernel.transposed(turned)
    size = tuple(kernel.shape[i] for i in turned[:rank])
    spatial = 1 <= rank <= 3
    if wide is not None and spatial and set(lhs_dilation) <= {1} and min(map(min, padding), default=0) >= 0:
        x, given = _padding(low, x, padding, size, strides, dilation)
        made = word("conv")(
            wide.shape[-1], one(size), stride=one(strides), padding=given, dilation=one(dilation), groups=groups,
            bias=False,
        )  # fmt: skip
        y = low.emit(made, x, weights={"kernel": wide}, shape=shape)
    elif wide is not None and spatial and set(strides) <= {1} and groups == 1:
        widths = one(tuple(one((d * (k - 1) - a, d * (k - 1) - b)) for (a, b), k, d in zip(padding, size, dilation)))
        if any(n < 0 for pair in np.atleast_1d(np.asarray(widths, object)).ravel() for n in np.atleast_1d(pair)):
            return _written_out(low, eqn, x, kernel, turned, shape, out)
        made = word("conv_transpose")(
            wide.shape[-1], one(size), stride=one(lhs_dilation), padding="valid" if widths == 0 else widths,
            dilation=one(dilation), bias=False,
        )  # fmt: skip
        y = low.emit(made, x, weights={"kernel": wide}, shape=shape)
    else:
        return _written_out(low, eqn, x, kernel, turned, shape, out)
    return _turned(low, y, tuple(int(i) for i in np.argsort((out[0], *out[2:], out[1]))))


def _padding(low: Any, x: Value, padding: tuple, size: tuple, strides: tuple, dilation: tuple) -> tuple[Value, Any]:
    """The value and its padding as an option. A trace has the numbers of `SAME` for one size of the image alone."""
    spans = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation))
    same = padding == tuple(map(tuple, lax.padtype_to_pads(x.shape[1:-1], spans, strides, "SAME")))
    widths = one(tuple(one(pair) for pair in padding))
    if same and any(map(any, padding)):
        if set(strides) <= {1} or any(a != b for a, b in padding):
            return x, "same"
        fixed = word("ensure_shape")(None, *x.shape[1:-1], None)  # it may be `SAME`, or the numbers themselves
        return low.emit(fixed, x, shape=x.shape), widths
    return x, "valid" if widths == 0 else widths


def _written_out(low: Any, eqn: Any, x: Value, kernel: Any, turned: tuple, shape: tuple, out: tuple) -> Value:
    """A convolution of two values, with every option that JAX has."""
    kernel = _turned(low, filled(low, kernel, x), turned)
    p, letters = eqn.params, "DHWUVXYZ"[: len(shape) - 2]
    options = {k: tuple(map(int, p[k])) for k in ("window_strides", "lhs_dilation", "rhs_dilation")}
    y = low.emit(
        word("ops.conv_general_dilated")(
            padding=tuple(tuple(map(int, pair)) for pair in p["padding"]),
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
            feature_group_count=int(p["feature_group_count"]), **options,
        ),
        x, kernel, shape=shape,
    )  # fmt: skip
    return _turned(low, y, tuple(int(i) for i in np.argsort((out[0], *out[2:], out[1]))))


def _turned(low: Any, x: Value, order: tuple[int, ...]) -> Value:
    if order == tuple(range(len(order))):
        return x
    return low.emit(word("permute")(*order), x, shape=tuple(x.shape[i] for i in order))
