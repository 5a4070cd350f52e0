"""Layers that work in training alone, left out with a note."""

from __future__ import annotations

import importlib
import pkgutil

from compose.export.source.registry import follows, shares
from compose.layers import augment
from compose.layers.augment.flip_crop import random_crop
from compose.layers.pad import center_crop


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


@shares(random_crop)
@follows
def cropped(w, layer, p, s, x):
    """In inference, the centre, or the whole."""
    whole = left_out(w, layer, x)
    if layer.inference == "whole":
        return whole
    return w.layer(center_crop(layer.size), {}, {}, x)


@shares(*(word for word in augmentations() if word is not random_crop))
@follows
def augmented(w, layer, p, s, x):
    return left_out(w, layer, x)
