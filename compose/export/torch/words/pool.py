"""Pooling over windows and over space."""

from __future__ import annotations

import math
from typing import Any

from compose.export.errors import ExportError
from compose.export.source.registry import follows
from compose.export.source.text import same
from compose.export.torch.registry import writes
from compose.export.torch.words.conv import first, padded
from compose.layers.pool.global_pool import adaptive_avg_pool, adaptive_max_pool, global_avg_pool, global_max_pool
from compose.layers.pool.unpool import max_pool_indices, max_unpool
from compose.layers.pool.window import avg_pool, lp_pool, max_pool, pool_window
from compose.layers.window import space_axes


@writes(max_pool, avg_pool, max_pool_indices)
@follows
def pool(w, layer: Any, p, s, x):
    over = pool_window(layer, x, getattr(layer, "dilation", 1))
    rank, seen, padding = len(over.axes), first(w, layer, x), list(over.padding)
    averages = isinstance(layer, avg_pool)
    fits = all(a == b and 2 * a <= k for (a, b), k in zip(padding, over.size))
    if not fits:
        if isinstance(layer, max_pool_indices) or (averages and any(over.overhang)):
            raise ExportError("padding that torch's pooling has", f"padding {layer.padding}")
        if averages and not layer.count_padding:
            text = f"{w.part('mean_of_windows')}({{}}, {over.size}, {over.stride}, {tuple(padding)})"
            return w.call(seen, text, shape=w.out(layer, x).shape)
        widths = [(a, b + more) for (a, b), more in zip(padding, over.overhang)] if not averages else padding
        seen = padded(w, seen, widths, 0.0 if averages else -math.inf)
        padding = [(0, 0)] * rank
    options = "" if over.stride == over.size else f", stride={same(over.stride)}"
    options += f", padding={same(a for a, _ in padding)}" if any(map(any, padding)) else ""
    if not averages and max(over.dilation) > 1:
        options += f", dilation={same(over.dilation)}"
    if any(over.overhang) and fits:
        options += ", ceil_mode=True"
    if averages and not layer.count_padding:
        options += ", count_include_pad=False"
    kind = "AvgPool" if averages else "MaxPool"
    out = w.out(layer, x)
    if isinstance(layer, max_pool_indices):
        name = w.submodule(f"nn.{kind}{rank}d({same(over.size)}{options}, return_indices=True)")
        values, places = out
        like = (
            seen.but(shape=values.shape, base="", steps=()),
            seen.but(shape=places.shape, dtype=places.dtype, base="", steps=()),
        )
        return w.results(f"self.{name}({seen})", like)
    return w.module(seen, f"nn.{kind}{rank}d({same(over.size)}{options})", shape=out.shape)


@writes(lp_pool)
@follows
def lp(w, layer, p, s, x):
    over = pool_window(layer, x)
    seen = padded(w, first(w, layer, x), list(over.padding))
    power = int(layer.power) if float(layer.power).is_integer() else layer.power
    text = f"{w.part('lp_pool')}({{}}, {power}, {over.size}, {over.stride}, {any(over.overhang)})"
    return w.call(seen, text, shape=w.out(layer, x).shape)


@writes(global_avg_pool, global_max_pool)
@follows
def over_space(w, layer, p, s, x):
    given = dict(layer.options)
    keep, channels_first = given.get("keepdims", False), given.get("channels_first", False)
    seen = w.last(x) if channels_first else x
    axes = [seen.axis(a) for a in (range(2, x.ndim) if channels_first else range(1, x.ndim - 1))]
    op = "mean" if layer.fn is global_avg_pool.fn else "amax"
    keepdim = ", keepdim=True" if keep else ""
    y = w.call(seen, f"{{}}.{op}({tuple(sorted(axes))}{keepdim})".replace(",)", ",)"), shape=w.out(layer, x).shape)
    return y if keep else y.but(first=False)


@writes(adaptive_avg_pool, adaptive_max_pool)
@follows
def adaptive(w, layer, p, s, x):
    rank = len(space_axes(x, layer.channels_first, layer.size))
    size = (layer.size,) * rank if isinstance(layer.size, int) else layer.size
    kind = "Avg" if isinstance(layer, adaptive_avg_pool) else "Max"
    text = f"nn.Adaptive{kind}Pool{rank}d({size[0] if rank == 1 else same(size)})"
    return w.module(first(w, layer, x), text, shape=w.out(layer, x).shape)


@writes(max_unpool)
@follows
def unpool(w, layer, p, s, x):
    values, places = (w.named(first(w, layer, v)) for v in x)
    out = w.out(layer, x)
    space = [out.shape[a] for a in space_axes(values, layer.channels_first)]
    text = f"{w.part('max_unpool')}({{}}, {{}}, {tuple(space)})"
    return w.made(text, values, places, shape=out.shape)
