"""Resizing: torch's own where it rounds alike, else by a matrix or the places of each axis."""

from __future__ import annotations

import numpy as np

from compose.export.source.registry import follows
from compose.export.source.text import same
from compose.export.torch.registry import writes
from compose.export.torch.words.conv import first
from compose.layers.resize import nearest, resize, upsample, weights

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@writes(resize, upsample)
@follows
def resized(w, layer, p, s, x):
    axes = layer.lengths(x)
    space, (wanted, steps) = [x.shape[a] for a in axes], zip(*axes.values())
    seen, shape = first(w, layer, x), w.out(layer, x).shape
    exact = all(abs(m * step - n) < 1e-9 for n, m, step in zip(space, wanted, steps))
    mode = mode_of(layer, len(axes), space, wanted) if exact and x.floats else None
    if mode is not None:
        factors = [m / n for n, m in zip(space, wanted)]
        by_factor = isinstance(layer, upsample) and len(set(factors)) == 1 and factors[0].is_integer()
        target = (
            f"scale_factor={int(factors[0])}" if by_factor else f"size={same(wanted) if len(axes) > 1 else wanted[0]}"
        )
        if by_factor:
            return w.module(seen, f"nn.Upsample({target}, {mode})", shape=shape)
        return w.call(seen, f"F.interpolate({{}}, {target}, {mode})", shape=shape)
    for i, (n, m, step) in enumerate(zip(space, wanted, steps)):
        if layer.method == "nearest":
            places = nearest(n, m, step, layer.coordinates).astype(np.int64)
            seen = w.call(seen, f"{{}}.index_select({2 + i}, {w.constant(places, 'places')})")
        elif m != n or step != 1:
            matrix = weights(n, m, step, layer.method, layer.antialias, layer.coordinates)
            text = f"torch.tensordot({{}}, {w.constant(matrix, 'matrix')}, ([{2 + i}], [1])).movedim(-1, {2 + i})"
            seen = w.call(seen, text)
    return seen.but(shape=tuple(shape))


def mode_of(layer, rank: int, space, wanted) -> str | None:
    """torch's mode, where it computes the same."""
    if layer.method == "nearest":
        whole = all(m % n == 0 for n, m in zip(space, wanted))
        return 'mode="nearest"' if whole and layer.coordinates != "align_corners" else None
    corners = {"half_pixel": "", "align_corners": ", align_corners=True"}.get(layer.coordinates)
    smooth = {"linear": LINEAR[rank], "torch_cubic": "bicubic" if rank == 2 else None}.get(layer.method)
    if smooth is None or corners is None or layer.antialias:
        return None
    return f'mode="{smooth}"{corners}'
