"""Resizing: Keras's own where it rounds alike, else by a matrix or the places of each axis."""

from __future__ import annotations

import numpy as np

from compose.export.keras.registry import writes
from compose.export.keras.words.layouts import back, to_last
from compose.export.source.text import same
from compose.layers.resize import nearest, resize, upsample, weights


@writes(resize, upsample)
def resized(w, layer, p, s, x):
    axes = layer.lengths(x)
    space, (wanted, steps) = [x.shape[a] for a in axes], zip(*axes.values())
    x = to_last(w, layer, x)
    whole = all(m % n == 0 and abs(m * step - n) < 1e-9 for n, m, step in zip(space, wanted, steps))
    shape = [x.shape[0], *wanted, x.shape[-1]]
    if isinstance(layer, upsample) and whole and layer.method == "nearest" and layer.coordinates != "align_corners":
        factors = same(m // n for n, m in zip(space, wanted))
        return back(w, layer, w.module(x, f"layers.UpSampling{len(axes)}D({factors})", shape=shape))
    if isinstance(layer, resize) and len(axes) == 2 and plain(layer) and x.floats:
        return back(w, layer, w.module(x, f"layers.Resizing({wanted[0]}, {wanted[1]})", shape=shape))
    for axis, (n, m, step) in enumerate(zip(space, wanted, steps), 1):
        grown = [*x.shape[:axis], m, *x.shape[axis + 1 :]]
        if layer.method == "nearest":
            places = nearest(n, m, step, layer.coordinates).tolist()
            x = w.call(x, f"ops.take({{}}, {places}, axis={axis})", shape=grown)
        elif m != n or step != 1:
            matrix = weights(n, m, step, layer.method, layer.antialias, layer.coordinates)
            x = w.named(x)
            held = w.parameter(x, np.asarray(matrix), f"matrix_{axis}", trainable=False)
            letters = "abcde"[: x.ndim]
            text = f'ops.einsum("{letters},x{letters[axis]}->{letters[:axis]}x{letters[axis + 1 :]}", {{}}, {{}})'
            x = w.made(text, x, held, shape=grown)
    return back(w, layer, x)


def plain(layer) -> bool:
    return layer.method == "linear" and layer.coordinates == "half_pixel" and not layer.antialias
