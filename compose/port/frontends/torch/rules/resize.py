"""Resizing and pixel shuffles."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.plain import emitted, plains
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import BATCH, Value


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


@rule("aten.affine_grid_generator")
def _affine_grid(low, node, theta, size, align_corners):
    """Places in a unit grid, each moved by its example's matrix."""
    space, (theta,) = size[2:], plains(low, (theta,))
    if not isinstance(theta, Value) or any(n % BATCH == 0 for n in space):
        raise PortError("matrices that are computed, and a grid of known size")
    ends = [1.0 if align_corners else (n - 1) / n for n in space]
    lines = [np.linspace(-end, end, n) if n > 1 else np.zeros(1) for n, end in zip(space, ends)]
    grid = np.stack([*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(space)], -1)
    axes = "hwd"[: len(space)]
    return emitted(low, word("contract")(equation=f"{axes}k,bik->b{axes}i"), grid, theta)


@rules("aten.grid_sampler", "aten.grid_sampler_2d", "aten.grid_sampler_3d")
def _at_places(low, node, x, grid, method, padding, align_corners):
    x, grid = plains(low, (x, grid))
    x = low.channels_last(x)
    made = word("grid_sample")(
        ("linear", "nearest", "cubic")[method], ("zeros", "border", "reflection")[padding], bool(align_corners)
    )
    return low.emit(made, x, grid, axes=x.axes)
