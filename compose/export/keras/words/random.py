"""Layers that work in training."""

from __future__ import annotations

from compose.export.keras.registry import writes
from compose.export.source.words.random import left_out
from compose.layers.dropout import alpha_dropout, drop_path, dropout, spatial_dropout
from compose.layers.noise import gaussian_dropout, gaussian_noise


@writes(dropout, drop_path)
def dropped(w, layer, p, s, x):
    shared = range(1, x.ndim) if isinstance(layer, drop_path) else [a % x.ndim for a in layer.shared_axes]
    shape = [1 if i in shared else None if not i else n for i, n in enumerate(x.shape)]
    noise = f", noise_shape={tuple(shape)}" if shared else ""
    return w.module(x, f"layers.Dropout({layer.rate!r}{noise})")


@writes(alpha_dropout)
def self_normalizing(w, layer, p, s, x):
    return left_out(w, layer, x) if layer.shared_axes else w.module(x, f"layers.AlphaDropout({layer.rate!r})")


@writes(spatial_dropout)
def channels_dropped(w, layer, p, s, x):
    if getattr(layer, "channels_first", False):
        return w.module(x, f"layers.Dropout({layer.rate!r}, noise_shape={(None, x.shape[1], *[1] * (x.ndim - 2))})")
    return w.module(x, f"layers.SpatialDropout{x.ndim - 2}D({layer.rate!r})")


@writes(gaussian_dropout)
def multiplied(w, layer, p, s, x):
    return w.module(x, f"layers.GaussianDropout({layer.rate!r})")


@writes(gaussian_noise)
def noisy(w, layer, p, s, x):
    return w.module(x, f"layers.GaussianNoise({layer.stddev!r})")
