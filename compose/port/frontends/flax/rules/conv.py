"""Convolutions."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rules
from compose.port.frontends.jax.rules.conv import one
from compose.port.ir.weights import View


@rules("flax.linen.linear.Conv", "flax.nnx.nn.linear.Conv")
def _conv(low, module, x):
    if module.mask is not None:
        raise PortError("a convolution without a mask on its kernel")
    kernel = as_tuple(module.kernel_size)
    rank = len(kernel)
    if x.ndim != rank + 2 or set(spread(module.input_dilation, rank)) != {1}:
        raise PortError(f"a convolution of (batch, *space, channels) without input_dilation, got {x.ndim} axes")
    stride, dilation = spread(module.strides, rank), spread(module.kernel_dilation, rank)
    padding = paddings(module.padding, rank)
    if padding in ("circular", "reflect"):
        mode = "wrap" if padding == "circular" else "reflect"
        total = [d * (k - 1) for k, d in zip(kernel, dilation)]
        widths = tuple((n // 2, n - n // 2) for n in total)
        shape = (x.shape[0], *(n + w for n, w in zip(x.shape[1:-1], total)), x.shape[-1])
        wide = any(max(w) > n - (mode == "reflect") for w, n in zip(widths, x.shape[1:-1]))  # it goes round again
        made = word("ops.pad")(pad_width=((0, 0), *widths, (0, 0)), mode=mode) if wide else word("pad")(widths, mode)
        x, padding = low.emit(made, x, shape=shape), "valid"
    made = word("conv")(
        low.weights["kernel"].shape[-1], one(kernel), stride=one(stride), padding=padding, dilation=one(dilation),
        groups=module.feature_group_count, bias="bias" in low.weights,
    )  # fmt: skip
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.linear.ConvTranspose", "flax.nnx.nn.linear.ConvTranspose")
def _conv_transpose(low, module, x):
    kernel = as_tuple(module.kernel_size)
    rank = len(kernel)
    dilation = spread(module.kernel_dilation, rank)
    padding = paddings(module.padding, rank)
    if module.mask is not None or x.ndim != rank + 2 or padding in ("circular", "reflect", "causal"):
        raise PortError('a transposed convolution of (batch, *space, channels) with padding "SAME", "VALID" or numbers')
    if not isinstance(padding, str):
        spans = [d * (k - 1) for k, d in zip(kernel, dilation)]
        pairs = padding if isinstance(padding, tuple) else ((padding, padding),) * rank
        pairs = [(p, p) if isinstance(p, int) else p for p in pairs]
        padding = one(tuple(one((s - lo, s - hi)) for s, (lo, hi) in zip(spans, pairs)))
    filters = low.weights["kernel"].shape[-2 if module.transpose_kernel else -1]
    made = word("conv_transpose")(
        filters, one(kernel), stride=one(spread(module.strides, rank)), padding=padding, dilation=one(dilation),
        bias="bias" in low.weights,
    )  # fmt: skip
    weights = dict(low.weights)
    if module.transpose_kernel:
        axes, flip = (*range(rank), rank + 1, rank), tuple(range(rank))
        weights["kernel"] = View(weights["kernel"].view.source, axes=axes, flip=flip, note="HWOI→HWIO, turned around")
    return low.emit(made, x, weights=weights)


def spread(value: Any, rank: int) -> tuple[int, ...]:
    """One number for each spatial axis; 1 by default."""
    value = 1 if value is None else value
    return (value,) * rank if isinstance(value, int) else tuple(value)


def paddings(padding: Any, rank: int) -> Any:
    """The padding option for Flax's padding."""
    if isinstance(padding, str):
        return padding.lower()
    if isinstance(padding, int):
        return padding or "valid"
    pairs = tuple(p if isinstance(p, int) else one(tuple(p)) for p in padding)
    pairs = pairs * rank if len(pairs) == 1 else pairs
    made = pairs[0] if len(set(pairs)) == 1 and isinstance(pairs[0], int) else pairs
    return "valid" if made == 0 else made


def as_tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
