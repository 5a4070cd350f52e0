"""Pooling over windows and over space."""

from __future__ import annotations

import math
from typing import Any

from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.keras.words.layouts import back, extra, padded, to_last
from compose.export.source.text import same
from compose.layers.pool.global_pool import adaptive_avg_pool, adaptive_max_pool, global_avg_pool, global_max_pool
from compose.layers.pool.unpool import max_pool_indices
from compose.layers.pool.window import avg_pool, lp_pool, max_pool, pool_window
from compose.layers.window import axes_last, space_axes


def window_of(layer: Any, x, dilation: Any = 1):
    over = pool_window(layer, x, dilation)
    return axes_last(over) if layer.channels_first else over


@writes(max_pool)
def largest(w, layer, p, s, x):
    over, x = window_of(layer, x, layer.dilation), to_last(w, layer, x)
    rank, shape = len(over.axes), (x.shape[0], *over.places, x.shape[-1])
    simple = layer.padding == "same" and not any(over.overhang)
    if not simple:
        x = padded(w, x, over.reach, -math.inf)
    if max(over.dilation) > 1:
        windows = f"{w.part('windows')}({{}}, {over.size}, {over.stride}, {over.dilation})"
        return back(w, layer, w.call(x, f"ops.max({windows}, axis=-1)", shape=shape))
    options = extra(padding="same") if simple and any(map(any, over.padding)) else ""
    stride = f", strides={same(over.stride)}" if over.stride != over.size else ""
    return back(w, layer, w.module(x, f"layers.MaxPooling{rank}D({same(over.size)}{stride}{options})", shape=shape))


@writes(avg_pool)
def average(w, layer, p, s, x):
    over, x = window_of(layer, x), to_last(w, layer, x)
    rank, shape = len(over.axes), (x.shape[0], *over.places, x.shape[-1])
    stride = f", strides={same(over.stride)}" if over.stride != over.size else ""
    inside = not layer.count_padding and layer.padding == "same"
    if any(over.overhang) or (any(map(any, over.padding)) and not layer.count_padding and not inside):
        return back(w, layer, means(w, layer, x, over, layer.count_padding, shape))
    if any(map(any, over.padding)) and not inside:
        x = padded(w, x, over.padding)
    options = extra(padding="same") if inside and any(map(any, over.padding)) else ""
    text = f"layers.AveragePooling{rank}D({same(over.size)}{stride}{options})"
    return back(w, layer, w.module(x, text, shape=shape))


def means(w, layer, x, over, counts: bool, shape):
    text = f"{w.part('mean_of_windows')}({{}}, {over.size}, {over.stride}, {over.padding}, {over.overhang}, {counts})"
    return w.call(w.named(x), text, shape=shape)


@writes(lp_pool)
def lp(w, layer, p, s, x):
    over, x = window_of(layer, x), to_last(w, layer, x)
    shape = (x.shape[0], *over.places, x.shape[-1])
    power = int(layer.power) if float(layer.power).is_integer() else layer.power
    raised = w.call(x, f"{{}} ** {power}" if power % 2 == 0 else f"ops.abs({{}}) ** {power}")
    total = w.call(means(w, layer, raised, over, True, shape), f"{{}} * {math.prod(over.size)}")
    return back(w, layer, w.call(w.named(total), f"{w.part('root')}({{}}, {power})"))


@writes(max_pool_indices)
def with_places(w, layer, p, s, x):
    if layer.channels_first:
        raise ExportError("channels last", "channels first")
    over, out = window_of(layer, x, layer.dilation), w.out(layer, x)
    options = f"{over.size}, {over.stride}, {over.reach}, {over.dilation}"
    return w.called(f"{w.part('max_pool_with_places')}({w.named(x)}, {options})", out)


@writes(global_avg_pool, global_max_pool)
def over_space(w, layer, p, s, x):
    given = dict(layer.options)
    first = given.get("channels_first", False)
    kind, rank = "Average" if layer.fn is global_avg_pool.fn else "Max", x.ndim - 2
    options = (["keepdims=True"] if given.get("keepdims") else []) + (['data_format="channels_first"'] if first else [])
    shape = w.out(layer, x).shape
    if rank > 3 or not rank:
        raise ExportError("one to three axes of space", f"{rank}")
    return w.module(x, f"layers.Global{kind}Pooling{rank}D({', '.join(options)})", shape=shape)


@writes(adaptive_avg_pool, adaptive_max_pool)
def adaptive(w, layer, p, s, x):
    out = w.out(layer, x).shape
    axes = space_axes(x, layer.channels_first, layer.size)
    size = same(out[a] for a in axes)
    kind = "Average" if isinstance(layer, adaptive_avg_pool) else "Max"
    x = to_last(w, layer, x)
    shape = (x.shape[0], *(out[a] for a in axes), x.shape[-1])
    return back(w, layer, w.module(x, f"layers.Adaptive{kind}Pooling{len(axes)}D({size})", shape=shape))
