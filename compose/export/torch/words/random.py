"""Layers that work in training: torch's own, or left out with a note."""

from __future__ import annotations

from compose.export.source.registry import follows
from compose.export.source.words.random import left_out
from compose.export.torch.registry import writes
from compose.export.torch.words.conv import first
from compose.layers.dropout import alpha_dropout, drop_path, dropout, spatial_dropout
from compose.layers.noise import gaussian_dropout, gaussian_noise


@writes(dropout, alpha_dropout)
@follows
def dropped(w, layer, p, s, x):
    kind = "Dropout" if isinstance(layer, dropout) else "AlphaDropout"
    if layer.shared_axes:
        return left_out(w, layer, x)
    return w.module(x, f"nn.{kind}({layer.rate!r})")


@writes(spatial_dropout)
@follows
def channels_dropped(w, layer, p, s, x):
    return w.module(first(w, layer, x), f"nn.Dropout{x.ndim - 2}d({layer.rate!r})")


@writes(drop_path)
@follows
def path_dropped(w, layer, p, s, x):
    w.part("DropPath")
    return w.module(x, f"DropPath({layer.rate!r})")


@writes(gaussian_dropout, gaussian_noise)
@follows
def noisy(w, layer, p, s, x):
    return left_out(w, layer, x)
