"""Layers that work in training: torch's own, or left out with a note."""

from __future__ import annotations

import importlib
import pkgutil

from compose.export.torch.registry import follows, writes
from compose.export.torch.words.conv import first
from compose.layers import augment
from compose.layers.augment.flip_crop import random_crop
from compose.layers.dropout import alpha_dropout, drop_path, dropout, spatial_dropout
from compose.layers.noise import gaussian_dropout, gaussian_noise
from compose.layers.pad import center_crop


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


def left_out(w, layer, x):
    """The input, with a note that training here would lack the layer."""
    text = " ".join(str(layer).split())
    w.note(f"{text} works in training alone; it is left out here.")
    return x


def augmentations() -> list:
    """Every word of the folder that draws; those that do not compute the same in inference too."""
    modules = [importlib.import_module(f"{augment.__name__}.{m.name}") for m in pkgutil.iter_modules(augment.__path__)]
    words = [getattr(module, name) for module in modules for name in getattr(module, "__all__", ())]
    return [word for word in words if getattr(word, "draws", False)]


@writes(random_crop)
@follows
def cropped(w, layer, p, s, x):
    """In inference, the centre."""
    left_out(w, layer, x)
    return w.layer(center_crop(layer.size), {}, {}, x)


@writes(*(word for word in augmentations() if word is not random_crop))
@follows
def augmented(w, layer, p, s, x):
    return left_out(w, layer, x)
