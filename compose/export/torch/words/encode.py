"""Integers as vectors, numbers as bins, places read and written, labels aligned, signals as spectra, histograms."""

from __future__ import annotations

import numpy as np

from compose.export.errors import ExportError
from compose.export.source.text import options
from compose.export.torch.registry import writes
from compose.layers.alignment import ctc_loss
from compose.layers.encode import bucketize, integer_lookup, multi_hot, one_hot
from compose.layers.histogram import equalize
from compose.layers.indexing import index_axes, scatter_along_axis
from compose.layers.spectrogram import LEAST, mel_spectrogram, stft_spectrogram, taper
from compose.layers.window import explicit_padding


@writes(one_hot, multi_hot)
def hot(w, layer, p, s, x):
    out, x = w.out(layer, x), w.named(x)
    text = f"({{}}[..., None] == torch.arange({out.shape[-1]}, device={{}}.device)).to(torch.{out.dtype.name})"
    tail = ".amax(-2)" if layer.fn is multi_hot.fn else ""
    return w.made(text + tail, x, x, shape=out.shape, dtype=out.dtype)


@writes(bucketize)
def binned(w, layer, p, s, x):
    out = w.out(layer, x)
    edges = list(options(layer)["boundaries"])
    return w.call(x, f"torch.bucketize({{}}, {{}}.new_tensor({edges}), right=True)", dtype=out.dtype)


@writes(integer_lookup)
def looked_up(w, layer, p, s, x):
    out = w.out(layer, x)
    text = f"{w.part('integer_lookup')}({{}}, {list(layer.vocabulary)}, {layer.unknown}, {layer.mask_token})"
    return w.call(x, text, dtype=out.dtype)


@writes(ctc_loss)
def aligned(w, layer, p, s, x):
    out, given = w.out(layer, x), "".join(f", {name}={value}" for name, value in options(layer).items())
    text = f'F.ctc_loss({{}}.transpose(0, 1), {{}}, {{}}, {{}}, reduction="none"{given})'
    return w.made(text, *x, shape=out.shape, dtype=out.dtype)


@writes(scatter_along_axis)
def scattered(w, layer, p, s, x):
    given = options(layer)
    axis, mode = given.get("axis", 0), given.get("mode", "set")
    out = w.out(layer, x)
    if x[2].ndim == 0:
        raise ExportError("an array of values", "one number")
    text = f'{w.part("scatter")}({{}}, {{}}, {{}}, {axis}, "{mode}")'
    return w.made(text, *x, shape=out.shape, dtype=out.dtype)


@writes(index_axes)
def read(w, layer, p, s, x):
    axes = options(layer).get("axes", (0,))
    array, *places = x
    given = {a % array.ndim: "{}" for a in axes}
    order = [places[list(a % array.ndim for a in axes).index(a)] for a in sorted(given)]
    text = ", ".join(given.get(a, ":") for a in range(max(given) + 1))
    out = w.out(layer, x)
    return w.made(f"{{}}[{text}]", array, *order, shape=out.shape, dtype=out.dtype)


@writes(equalize)
def equalized(w, layer, p, s, x):
    return w.call(x, f"{w.part('equalize')}({{}}, {options(layer).get('bins', 256)})")


@writes(stft_spectrogram)
def transformed(w, layer, p, s, x):
    length, step = layer.frame_length, layer.frame_step or layer.frame_length // 2
    ((before, after),) = explicit_padding(layer.padding, (x.shape[1],), (length,), (step,), (1,))
    values = taper(layer.window, length, layer.periodic)
    if layer.window is not None and layer.scaling:
        energy = np.sqrt(np.square(values).sum()) if layer.scaling == "density" else np.abs(values).sum()
        values = values / energy
    out = w.out(layer, x)
    n = layer.fft_length or 1 << (length - 1).bit_length()
    window = w.constant(values, "window")
    text = (
        f'{w.part("stft_spectrogram")}({{}}, {window}, {step}, {n}, "{layer.mode}", {(before, after)}, '
        f"{LEAST!r}, {layer.expand_dims})"
    )
    return w.call(x, text, shape=out.shape)


@writes(mel_spectrogram)
def in_bands(w, layer, p, s, x):
    length, n = layer.frame_length or layer.fft_length, layer.fft_length
    before = (n - length) // 2
    values = np.pad(taper(layer.window, length, True), (before, n - length - before))
    values = np.ones(n) if layer.window is None else values
    window, bands = w.constant(values, "window"), w.constant(layer.triangles(n // 2 + 1), "bands")
    decibels = "None"
    if layer.decibels:
        decibels = repr((layer.min_power, max(abs(layer.reference), layer.min_power), layer.top_db))
    text = f"{w.part('mel_spectrogram')}({{}}, {window}, {bands}, {layer.frame_step}, {layer.power!r}, {decibels})"
    return w.call(x, text, shape=w.out(layer, x).shape)
