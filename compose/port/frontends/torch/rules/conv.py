"""Convolutions."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.conv.conv import conv
from compose.port.frontends.torch.operands import plain
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.unbatched import Unbatched
from compose.port.lowering.values import BATCH, Value, Weight
from compose.port.lowering.windows import conv_padding, kernel_view, padding_word, per_axis, turned_view


@rules("aten.conv1d", "aten.conv2d", "aten.conv3d")
def _conv(low, node, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    x, rank = spatial(low, x, len(weight.shape) - 2)
    if not isinstance(weight, Weight) or isinstance(bias, Value):
        return _by_value(low, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if padding != "same":  # torch's is of stride 1 and pads as ours
        padding = conv_padding(0 if padding == "valid" else padding, weight.shape[2:], stride, dilation)
    layer = conv(
        weight.shape[0], per_axis(weight.shape[2:], rank), stride=per_axis(stride, rank), padding=padding,
        dilation=per_axis(dilation, rank), groups=groups, bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": kernel_view(weight), "bias": bias})


def spatial(low, x: Value, rank: int) -> tuple[Value, int]:
    """The value in channels-last layout, and its number of spatial axes. Raises `PortError` for one without a batch."""
    if x.ndim != rank + 2:
        axes = "channels, " + ", ".join(("depth", "height", "width")[3 - rank :])
        raise Unbatched(f"an input (batch, {axes}), got {x.ndim} axes; x[None] adds the batch's")
    return low.channels_last(x), rank


@rules("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
def _conv_transpose(low, node, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    x, rank = spatial(low, x, len(weight.shape) - 2)
    if not isinstance(weight, Weight) or isinstance(bias, Value):
        how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return _by_value(low, x, weight, bias, **how, output_padding=output_padding, transposed=True)
    layer = word("conv_transpose")(
        weight.shape[1] * groups, per_axis(weight.shape[2:], rank), stride=per_axis(stride, rank),
        padding=padding_word(padding, rank), output_padding=per_axis(output_padding, rank),
        dilation=per_axis(dilation, rank), groups=groups, bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": turned_view(weight, groups), "bias": bias})


@rule("aten.convolution")
def _convolution(low, node, x, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    if transposed:
        return _conv_transpose(low, node, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _conv(low, node, x, weight, bias, stride, padding, dilation, groups)


def _by_value(low, x: Value, kernel: Any, bias: Any, transposed: bool = False, **how: Any) -> Value:
    """A convolution whose kernel or bias is a value of the model."""
    rank, usual = x.ndim - 2, {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "output_padding": 0}
    if isinstance(how["padding"], str):
        raise PortError(f"padding in numbers for a kernel that is a value, got {how['padding']!r}")
    options = {k: v if k == "groups" else per_axis(v, rank) for k, v in how.items()}
    options = {k: v for k, v in options.items() if v != usual[k]} | ({"transposed": True} if transposed else {})
    kernel, space = plain(low, kernel, x), tuple(range(2, rank + 2))
    if not transposed:
        kernel = low.moved(kernel, (*space, 1, 0))
    elif how["groups"] == 1:
        kernel = low.emit(word("ops.flip")(axis=space), kernel, shape=kernel.shape)
        kernel = low.moved(kernel, (*space, 0, 1))
    else:
        raise PortError("a transposed convolution in one group, of a kernel that is a value")
    y = low.emit(word("convolve_with")(**options), x, kernel, axes=x.axes)
    if bias is None:
        return y
    return low.emit(word("ops.add"), y, plain(low, bias, x), shape=y.shape, axes=y.axes)


@rule("aten.im2col")
def _unfold(low, node, x, size, dilation, padding, stride):
    """Extract windows as channels; torch has their positions as one axis."""
    layer = word("unfold")(**_patches(size, dilation, padding, stride))
    x = low.channels_last(x)
    lengths = layer.out(x.ours[1:])[:-1]
    batch, n, places = low.shape
    y = low.emit(layer, x, shape=(batch, n, *lengths), axes=(0, 2, 3, 1))
    return low.reshaped(y, (batch, n, places), BATCH, flattens=False)


@rule("aten.col2im")
def _fold(low, node, x, out_size, size, dilation, padding, stride):
    layer = word("fold")(out_size=per_axis(out_size, 2), **_patches(size, dilation, padding, stride))
    lengths = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(out_size, size, dilation, padding, stride)
    ]
    y = low.reshaped(x, (*x.shape[:2], *lengths), BATCH, flattens=False)
    return low.emit(layer, low.channels_last(y), axes=(0, 2, 3, 1))


def _patches(size, dilation, padding, stride) -> dict[str, Any]:
    given = {"size": size, "dilation": dilation, "padding": padding, "stride": stride}
    usual = {"dilation": 1, "padding": 0, "stride": 1}
    made = {name: per_axis(value, 2) for name, value in given.items()}
    return {name: value for name, value in made.items() if value != usual.get(name)}
