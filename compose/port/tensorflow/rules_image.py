"""Convolution, pooling and padding, channels last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules
from compose.port.tensorflow.values import Value, Weight
from compose.port.weights import Constant


def one(sizes: Any) -> Any:
    """Equal sizes as one int."""
    made = tuple(int(n) for n in sizes)
    return made[0] if len(set(made)) == 1 else made


def last(op: Any) -> None:
    """Raise unless the channels are last."""
    if not op.get_attr("data_format").decode().endswith("C"):
        raise PortError(f"channels last, got data_format={op.get_attr('data_format').decode()}")


def _padding(op: Any, name: str = "explicit_paddings") -> Any:
    padding = op.get_attr("padding").decode()
    if padding != "EXPLICIT":
        return padding.lower()
    around = np.reshape(op.get_attr(name), (-1, 2))[1:-1]
    return tuple((int(a), int(b)) for a, b in around)


def _space(op: Any, name: str) -> tuple[int, ...]:
    return tuple(int(n) for n in op.get_attr(name)[1:-1])


def _flattened(x: Value) -> bool:
    """Whether an axis of length 1 was only put in before the others, as `tf.nn.conv1d` does."""
    return x.ndim == 4 and x.ours == (x.shape[0], *x.shape[2:])


def _over(low: Any, op: Any, x: Value, weight: Any) -> tuple[Value, Weight, dict[str, Any], bool]:
    """The input, kernel and options of a convolution, over time alone where it is one."""
    if isinstance(weight, Value):
        raise PortError("a convolution whose kernel is a variable")
    weight = weight if isinstance(weight, Weight) else Weight.constant(weight)
    last(op)
    options = {"stride": _space(op, "strides"), "dilation": _space(op, "dilations"), "padding": _padding(op)}
    time = _flattened(x) and weight.shape[0] == 1
    x = x if time else low.whole(x)
    if time:
        options = {k: v if isinstance(v, str) else v[1:] for k, v in options.items()}
    return x, weight, {k: v if k == "padding" else one(v) for k, v in options.items()}, time


@rules("tf.Conv2D", "tf.Conv3D")
def _conv(low, op, x, weight):
    x, weight, options, time = _over(low, op, x, weight)
    *kernel, each, filters = weight.shape[1:] if time else weight.shape
    groups = x.shape[-1] // each
    layer = word("conv")(filters, one(kernel), groups=groups, bias=False, **options)
    held = _squeezed(weight) if time else weight
    ours = (low.shape[0], *low.shape[2:]) if time else None
    return low.emit(layer, x, ours=ours, weights={"kernel": held})


def _squeezed(weight: Weight) -> Weight:
    """A kernel over time as it is stored, without the axis that was put in."""
    take = weight.take
    if isinstance(take, Constant):
        return weight.reshaped(weight.shape[1:])
    stored = replace(take, shape=None) if take.axes is None else take
    return Weight(replace(stored, shape=weight.shape[1:]), weight.shape[1:], weight.trained)


@rule("tf.DepthwiseConv2dNative")
def _depthwise(low, op, x, weight):
    x, weight, options, _ = _over(low, op, low.whole(x), weight)
    *kernel, channels, multiplier = weight.shape
    layer = word("depthwise_conv")(one(kernel), multiplier=multiplier, bias=False, **options)
    held = weight.reshaped((*kernel, 1, channels * multiplier))
    held = replace(held, take=replace(held.take, note="HWCM→HW1(CM)"))
    return low.emit(layer, x, weights={"kernel": held})


@rule("tf.Conv2DBackpropInput")
def _conv_transpose(low, op, size, weight, x):
    x, weight, options, _ = _over(low, op, low.whole(x), weight)
    *kernel, filters, channels = weight.shape
    if channels != x.shape[-1] or options["dilation"] != 1:
        raise PortError("a transposed convolution of one group, not dilated")
    if isinstance(options["padding"], tuple):
        raise PortError('a transposed convolution with padding "SAME" or "VALID"')
    layer = word("conv_transpose")(filters, one(kernel), bias=False, **options)
    if isinstance(weight.take, Constant):
        raise PortError("a transposed convolution whose kernel is a variable")
    take = replace(weight.take, axes=(0, 1, 3, 2), flip=(0, 1), note="HWOI→HWIO, turned")
    made = low.emit(layer, x, weights={"kernel": Weight(take, weight.shape, weight.trained)})
    from compose.core.plan import plan
    from compose.core.run import abstract

    given = plan(layer, abstract((np.zeros((1, *x.shape[1:]), np.float32),))).out.shape[1:]
    if given != made.shape[1:]:
        raise PortError(f"a transposed convolution to the size {given[:-1]}, got output_shape {made.shape[1:-1]}")
    return made


@rules("tf.MaxPool", "tf.AvgPool", "tf.MaxPool3D", "tf.AvgPool3D")
def _pool(low, op, x):
    last(op)
    time = _flattened(x) and op.get_attr("ksize")[1] == 1
    x = x if time else low.whole(x)
    start = 1 if time else 0
    size, stride = (one(_space(op, name)[start:]) for name in ("ksize", "strides"))
    padding = _padding(op) if op.type == "MaxPool" else op.get_attr("padding").decode().lower()
    padding = padding[start:] if isinstance(padding, tuple) else padding
    options: dict[str, Any] = {} if stride == size else {"stride": stride}
    options |= {} if padding == "valid" else {"padding": padding}
    options |= {"count_padding": False} if op.type.startswith("Avg") and padding != "valid" else {}
    layer = word("max_pool" if op.type.startswith("Max") else "avg_pool")(size, **options)
    return low.emit(layer, x, ours=(low.shape[0], *low.shape[2:]) if time else None)


@rules("tf.Pad", "tf.PadV2", "tf.MirrorPad")
def _pad(low, op, x, widths, value=None):
    x = low.whole(x)
    around = tuple((int(a), int(b)) for a, b in widths)
    if any(map(any, (around[0], around[-1]))):
        raise PortError(f"padding of neither the batch nor the channels, got {around}")
    mode = op.get_attr("mode").decode().lower() if op.type == "MirrorPad" else "constant"
    options = {"mode": mode} if mode != "constant" else {"value": float(value)} if value else {}
    return low.emit(word("pad")(around[1:-1], **options), x)
