"""Pooling."""

from __future__ import annotations

import math
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.registry import rules
from compose.port.frontends.torch.rules.conv import spatial
from compose.port.lowering.windows import padding_word, per_axis


def _rank(node: Any) -> int:
    """The number of spatial axes, which an operation's name ends with: `avg_pool2d`."""
    return int(str(node.target).split(".")[1][-2])


@rules("aten.max_pool1d", "aten.max_pool2d", "aten.max_pool3d")
def _max_pool(low, node, x, size, stride=(), padding=0, dilation=1, ceil_mode=False):
    x, rank = spatial(low, x, _rank(node))
    options = {"dilation": per_axis(dilation, rank)} if per_axis(dilation, rank) != 1 else {}
    if ceil_mode and not options and _is_whole(x, size, padding, rank):
        return _of_the_whole(low, x, "max")
    return low.emit(word("max_pool")(**_window(size, stride, padding, rank), **options, ceil_mode=ceil_mode), x)


@rules("aten.max_pool2d_with_indices", "aten.max_pool3d_with_indices")
def _with_places(low, node, x, size, stride=(), padding=0, dilation=1, ceil_mode=False):
    """The largest of each window, and its place in the flattened space."""
    rank = int(str(node.target).removeprefix("aten.max_pool")[0])
    (x, rank), shape = spatial(low, x, rank), sizes_of(node.meta["val"][0])
    options = {**_window(size, stride, padding, rank), "ceil_mode": ceil_mode}
    options |= {"dilation": per_axis(dilation, rank)} if per_axis(dilation, rank) != 1 else {}
    if not low.reads(1):
        return low.emit(word("max_pool")(**options), x, shape=shape), None
    both = low.emit(word("max_pool_indices")(**options), x, shape=(), axes=())
    return tuple(low.emit(word("at")(str(i)), both, shape=shape, axes=x.axes) for i in (0, 1))


@rules("aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d")
def _avg_pool(low, node, x, size, stride=(), padding=0, ceil_mode=False, count_padding=True, divisor=None):
    if divisor is not None and ceil_mode:
        raise PortError(f"an average over the window, got divisor_override={divisor}")
    x, rank = spatial(low, x, _rank(node))
    if ceil_mode and _is_whole(x, size, padding, rank):
        return _of_the_whole(low, x, "avg")
    counts = count_padding or divisor is not None
    layer = word("avg_pool")(**_window(size, stride, padding, rank), ceil_mode=ceil_mode, count_padding=counts)
    made = low.emit(layer, x)
    n = math.prod(size) if len(size) == rank else size[0] ** rank
    return made if divisor is None else low.each(word("scale")(by=n / divisor), made)


def _is_whole(x: Any, size: Any, padding: Any, rank: int) -> bool:
    """Whether a window is longer than all of the space, which torch then cuts off at its end."""
    sizes = size if isinstance(size, (tuple, list)) else (size,)
    windows = sizes if len(sizes) == rank else sizes * rank
    lengths = x.shape[2:]
    longer = all(n <= window for n, window in zip(lengths, windows)) and any(map(int.__lt__, lengths, windows))
    return per_axis(padding, rank) == 0 and longer


def _of_the_whole(low: Any, x: Any, kind: str) -> Any:
    low.sized = True
    return low.emit(word(f"global_{kind}_pool")(keepdims=True), x)


def _window(size, stride, padding, rank: int) -> dict[str, Any]:
    size = per_axis(size, rank)
    stride = per_axis(stride, rank) if stride not in ((), []) else size
    made = {"size": size, "padding": padding_word(padding, rank)}
    return made if stride == size else {**made, "stride": stride}


@rules("aten.adaptive_avg_pool1d", "aten.adaptive_avg_pool2d", "aten.adaptive_avg_pool3d")
def _adaptive_avg(low, node, x, size):
    return _adaptive(low, node, x, size, "avg", low.shape)


@rules("aten.adaptive_max_pool1d", "aten.adaptive_max_pool2d", "aten.adaptive_max_pool3d")
def _adaptive_max(low, node, x, size):
    made = _adaptive(low, node, x, size, "max", sizes_of(low.node.meta["val"][0]))
    return made, None


def _adaptive(low, node, x, size, kind: str, shape: tuple[int, ...]):
    x, rank = spatial(low, x, _rank(node))
    bins = per_axis(size, rank)
    if bins == 1:
        return low.emit(word(f"global_{kind}_pool")(keepdims=True), x, shape=shape)
    if tuple(x.shape[2:]) == (bins if isinstance(bins, tuple) else (bins,) * rank):
        low.sized = True
        return x
    return low.emit(word(f"adaptive_{kind}_pool")(bins), x, shape=shape)
