"""Convolutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.window import explicit_padding
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.ir.weights import Constant
from compose.port.lowering.values import turned


def one(sizes: Any) -> Any:
    """One int for equal sizes."""
    made = tuple(int(n) for n in sizes)
    return made[0] if len(set(made)) == 1 else made


def last(op: Any) -> None:
    """Raise unless the channels are last."""
    if not op.get_attr("data_format").decode().endswith("C"):
        raise PortError(f"channels last, got data_format={op.get_attr('data_format').decode()}")


def padding_of(op: Any, name: str = "explicit_paddings") -> Any:
    """A name, or the widths along each spatial axis."""
    padding = op.get_attr("padding").decode()
    if padding != "EXPLICIT":
        return padding.lower()
    around = np.reshape(op.get_attr(name), (-1, 2))[1:-1]
    return tuple((int(a), int(b)) for a, b in around)


def spatial(op: Any, name: str) -> tuple[int, ...]:
    return tuple(int(n) for n in op.get_attr(name)[1:-1])


def is_flattened(x: Value) -> bool:
    """Whether `tf.nn.conv1d` inserted an axis of length 1."""
    return x.ndim == 4 and x.ours == (x.shape[0], *x.shape[2:])


def _over(low: Any, op: Any, x: Value, weight: Any) -> tuple[Value, Weight, dict[str, Any], bool]:
    """The input, kernel and options of a convolution, reduced to one dimension for `tf.nn.conv1d`."""
    if isinstance(weight, Value):
        raise PortError("a convolution whose kernel is a variable")
    weight = weight if isinstance(weight, Weight) else Weight.constant(weight)
    last(op)
    options = {"stride": spatial(op, "strides"), "dilation": spatial(op, "dilations"), "padding": padding_of(op)}
    time = is_flattened(x) and weight.shape[0] == 1
    x = x if time else low.whole(x)
    if time:
        options = {k: v if isinstance(v, str) else v[1:] for k, v in options.items()}
    return x, weight, {k: v if k == "padding" else one(v) for k, v in options.items()}, time


@rules("tf.Conv2D", "tf.Conv3D")
def _conv(low, op, x, weight):
    if isinstance(weight, Value):
        return _by_value(low, op, low.whole(x), low.whole(weight))
    x, weight, options, time = _over(low, op, x, weight)
    *kernel, each, filters = weight.shape[1:] if time else weight.shape
    groups = x.shape[-1] // each
    layer = word("conv")(filters, one(kernel), groups=groups, bias=False, **options)
    held = _squeezed(weight) if time else weight
    ours = (low.shape[0], *low.shape[2:]) if time else None
    return low.emit(layer, x, ours=ours, weights={"kernel": held})


def _by_value(low: Any, op: Any, x: Value, kernel: Value) -> Value:
    """A convolution whose kernel is a value, such as one that another layer has, too."""
    last(op)
    stride, dilation, padding = spatial(op, "strides"), spatial(op, "dilations"), padding_of(op)
    padding = explicit_padding(padding, x.shape[1:-1], kernel.shape[:-2], stride, dilation)
    if any(before != after for before, after in padding):
        wide = tuple(n + sum(pair) for n, pair in zip(x.shape[1:], padding))
        x = low.emit(word("pad")(tuple(padding)), x, shape=(x.shape[0], *wide, x.shape[-1]))
        padding = [(0, 0)] * len(stride)
    layer = _with_given(
        stride=stride, padding=[n for n, _ in padding], dilation=dilation, groups=[x.shape[-1] // kernel.shape[-2]]
    )
    return low.emit(layer, x, kernel)


def _transposed_by_value(low: Any, op: Any, x: Value, kernel: Value) -> Value:
    """The transpose, of one group, whose kernel is turned around in space."""
    last(op)
    stride, rank = spatial(op, "strides"), kernel.ndim - 2
    cut = [(n - 1) * s + k - m for n, s, k, m in zip(x.shape[1:], stride, kernel.shape, low.shape[1:-1])]
    if kernel.shape[-1] != x.shape[-1] or set(spatial(op, "dilations")) != {1} or any(c > 0 and c % 2 for c in cut):
        raise PortError("a transposed convolution by a value in one group, not dilated, and cut alike on both sides")
    space = tuple(range(rank))
    kernel = low.emit(word("ops.flip")(axis=space), kernel, shape=kernel.shape)
    kernel = low.permuted(kernel, (*space, rank + 1, rank))
    extra = [max(-c, 0) for c in cut]
    layer = _with_given(stride=stride, padding=[max(c, 0) // 2 for c in cut], output_padding=extra, transposed=[True])
    return low.emit(layer, x, kernel)


def _with_given(**options: Any) -> Any:
    """`convolve_with` of these numbers for each axis, without those that it has by default."""
    usual = {"stride": 1, "dilation": 1, "groups": 1, "padding": 0, "output_padding": 0}
    made = {k: v[0] if k == "transposed" else one(v) for k, v in options.items()}
    return word("convolve_with")(**{k: v for k, v in made.items() if v != usual.get(k)})


def _squeezed(weight: Weight) -> Weight:
    """The kernel of a 1D convolution as it is stored, without the inserted axis."""
    view = weight.view
    if isinstance(view, Constant):
        return weight.reshaped(weight.shape[1:])
    stored = replace(view, shape=None) if view.axes is None else view
    return Weight(replace(stored, shape=weight.shape[1:]), weight.shape[1:], weight.trained)


@rule("tf.DepthwiseConv2dNative")
def _depthwise(low, op, x, weight):
    x, weight, options, _ = _over(low, op, low.whole(x), weight)
    *kernel, channels, multiplier = weight.shape
    layer = word("depthwise_conv")(one(kernel), multiplier=multiplier, bias=False, **options)
    held = weight.reshaped((*kernel, 1, channels * multiplier))
    held = replace(held, view=replace(held.view, note="HWCM→HW1(CM)"))
    return low.emit(layer, x, weights={"kernel": held})


@rules("tf.Conv2DBackpropInput", "tf.Conv3DBackpropInputV2")
def _conv_transpose(low, op, size, weight, x):
    if isinstance(weight, Value):
        return _transposed_by_value(low, op, low.whole(x), low.whole(weight))
    x, weight, options, time = _over(low, op, x, weight)
    weight = _squeezed(weight) if time else weight
    *kernel, filters, channels = weight.shape
    if channels != x.ours[-1] or options["dilation"] != 1:
        raise PortError("a transposed convolution of one group, not dilated")
    if isinstance(options["padding"], tuple):
        raise PortError('a transposed convolution with padding "SAME" or "VALID"')
    after = (low.shape[0], *low.shape[2:]) if time else low.shape
    stride = options["stride"] if isinstance(options["stride"], tuple) else (options["stride"],) * len(kernel)
    options |= _cut(x.ours[1:-1], after[1:-1], kernel, stride, options["padding"])
    rank = len(kernel)
    view = turned(weight.view, weight.shape, (*range(rank), rank + 1, rank))
    view = replace(view, flip=tuple(range(rank)), note="HWOI→HWIO, turned")
    layer = word("conv_transpose")(filters, one(kernel), bias=False, **options)
    return low.emit(layer, x, ours=after, weights={"kernel": Weight(view, weight.shape, weight.trained)})


def _cut(before: tuple, after: tuple, kernel: Any, stride: tuple, padding: str) -> dict[str, Any]:
    """Explicit padding, where the named padding gives another size."""
    grown = [n * s if padding == "same" else (n - 1) * s + k for n, k, s in zip(before, kernel, stride)]
    fits = padding != "same" or all(k >= s for k, s in zip(kernel, stride))
    if tuple(grown) == after and fits:
        return {}
    ends, extra = [], []
    for n, m, k, s in zip(before, after, kernel, stride):
        whole = (n - 1) * s + k
        cut = max(whole - m, 0) if padding == "same" else 0
        ends.append((cut // 2, cut - cut // 2))
        extra.append(m - whole + cut)
    made: dict[str, Any] = {"padding": tuple(ends) if any(map(any, ends)) else 0}
    return made | ({"output_padding": one(extra)} if any(extra) else {})
