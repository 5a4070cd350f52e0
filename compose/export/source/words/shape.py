"""Parts of arrays and of tuples."""

from __future__ import annotations

import re

from compose.export.errors import ExportError
from compose.export.source.registry import follows, shares
from compose.layers.shape import ensure_shape
from compose.layers.take import at


def like(x, out):
    """Values of these shapes."""
    return tuple(x.but(base="", steps=(), shape=o.shape, dtype=o.dtype, first=False) for o in out)


@shares(ensure_shape)
@follows
def ensured(w, layer, p, s, x):
    return x


@shares(at)
@follows
def indexed(w, layer, p, s, x):
    if isinstance(x, tuple):
        return x[int(layer.index)]
    x = w.last(x)
    if re.search(r"::\s*-", layer.index):
        raise ExportError("an index of steps above 0", layer.index)
    return w.call(x, f"{{}}[{w.index(layer.index)}]", shape=w.out(layer, x).shape)
