"""What moves pixels and makes them more or fewer."""

from __future__ import annotations

import re
from typing import Any

from compose.core.registry import word
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import BATCH
from compose.port.lowering.windows import per_axis


@rules("aten.pixel_shuffle", "aten.pixel_unshuffle", "aten.channel_shuffle")
def _shuffle(low, node, x, factor):
    return low.emit(word(str(node.target).split(".")[1])(factor), low.channels_last(x))


_RESIZED = {
    "upsample_nearest": {"method": "nearest", "coordinates": "asymmetric"},
    "_upsample_nearest_exact": {"method": "nearest"},
    "upsample_linear": {"method": "linear"},
    "upsample_bilinear": {"method": "linear"},
    "upsample_trilinear": {"method": "linear"},
    "upsample_bicubic": {"method": "torch_cubic"},
    "_upsample_bilinear_aa": {"method": "linear", "antialias": True},
    "_upsample_bicubic_aa": {"method": "cubic", "antialias": True},
}


@rules(
    *(
        f"aten.{kind.removesuffix('_aa')}{rank}d{'_aa' * kind.endswith('_aa')}"
        for kind in _RESIZED
        for rank in (1, 2, 3)
    )
)
def _upsample(low, node, x, size, *args):
    options: dict[str, Any] = dict(_RESIZED[re.sub(r"\dd", "", str(node.target).split(".")[1])])
    factors = args[-1] if args else None
    x = low.channels_last(x)
    if args and args[0] is True:
        options["coordinates"] = "align_corners"
    if not isinstance(factors, (list, tuple)):
        return low.emit(word("resize")(tuple(low.shape[2:]), **options), x)
    if all(float(f).is_integer() for f in factors) and options["method"] == "nearest":
        options = {}  # every value is repeated, wherever its middle is
    factor = factors[0] if len(set(factors)) == 1 else tuple(factors)
    return low.emit(word("upsample")(factor, **options), x)


@rule("aten.im2col")
def _unfold(low, node, x, size, dilation, padding, stride):
    """Windows as channels; torch has their places as one axis."""
    layer = word("unfold")(**_windows(size, dilation, padding, stride))
    x = low.channels_last(x)
    lengths = layer.out(x.ours[1:])[:-1]
    batch, n, places = low.shape
    y = low.emit(layer, x, shape=(batch, n, *lengths), axes=(0, 2, 3, 1))
    return low.reshaped(y, (batch, n, places), BATCH, flattens=False)


@rule("aten.col2im")
def _fold(low, node, x, out_size, size, dilation, padding, stride):
    layer = word("fold")(out_size=per_axis(out_size, 2), **_windows(size, dilation, padding, stride))
    lengths = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(out_size, size, dilation, padding, stride)
    ]
    y = low.reshaped(x, (*x.shape[:2], *lengths), BATCH, flattens=False)
    return low.emit(layer, low.channels_last(y), axes=(0, 2, 3, 1))


def _windows(size, dilation, padding, stride) -> dict[str, Any]:
    given = {"size": size, "dilation": dilation, "padding": padding, "stride": stride}
    usual = {"dilation": 1, "padding": 0, "stride": 1}
    made = {name: per_axis(value, 2) for name, value in given.items()}
    return {name: value for name, value in made.items() if value != usual.get(name)}
