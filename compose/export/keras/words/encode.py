"""Integers as vectors, numbers as bins, places read, kernels given, signals as spectra."""

from __future__ import annotations

import numpy as np

from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.source.text import options
from compose.layers.encode import bucketize, integer_lookup, multi_hot, one_hot
from compose.layers.indexing import index_axes
from compose.layers.spectrogram import LEAST, mel_spectrogram, stft_spectrogram, taper
from compose.layers.window import explicit_padding


@writes(one_hot, multi_hot)
def hot(w, layer, p, s, x):
    out = w.out(layer, x)
    text = f'ops.one_hot({{}}, {out.shape[-1]}, dtype="{out.dtype.name}")'
    text = f"ops.max({text}, axis=-2)" if layer.fn is multi_hot.fn else text
    return w.call(x, text, shape=out.shape, dtype=out.dtype)


@writes(bucketize)
def binned(w, layer, p, s, x):
    return w.call(
        x,
        f"ops.digitize({{}}, ops.convert_to_tensor({list(options(layer)['boundaries'])}))",
        dtype=w.out(layer, x).dtype,
    )


@writes(integer_lookup)
def looked_up(w, layer, p, s, x):
    text = f"{w.part('integer_lookup')}({{}}, {list(layer.vocabulary)}, {layer.unknown}, {layer.mask_token})"
    return w.call(w.named(x), text, dtype=w.out(layer, x).dtype)


@writes(index_axes)
def read(w, layer, p, s, x):
    axes = options(layer).get("axes", (0,))
    if len(x) != 2 or len(axes) != 1:
        raise ExportError("one axis that is read", f"{layer}")
    return w.made(f"ops.take({{}}, {{}}, axis={axes[0]})", *x, shape=w.out(layer, x).shape)


@writes(stft_spectrogram)
def transformed(w, layer, p, s, x):
    length, step = layer.frame_length, layer.frame_step or layer.frame_length // 2
    ((before, after),) = explicit_padding(layer.padding, (x.shape[1],), (length,), (step,), (1,))
    values = taper(layer.window, length, layer.periodic)
    if layer.window is not None and layer.scaling:
        energy = np.sqrt(np.square(values).sum()) if layer.scaling == "density" else np.abs(values).sum()
        values = values / energy
    n = layer.fft_length or 1 << (length - 1).bit_length()
    window = w.parameter(w.named(x), np.asarray(values), "window", trainable=False)
    text = (
        f'{w.part("stft_spectrogram")}({{}}, {{}}, {step}, {n}, "{layer.mode}", {(before, after)}, '
        f"{LEAST!r}, {layer.expand_dims})"
    )
    return w.made(text, x, window, shape=w.out(layer, x).shape)


@writes(mel_spectrogram)
def in_bands(w, layer, p, s, x):
    length, n = layer.frame_length or layer.fft_length, layer.fft_length
    before = (n - length) // 2
    values = np.pad(taper(layer.window, length, True), (before, n - length - before))
    values = np.ones(n) if layer.window is None else values
    x = w.named(x)
    window = w.parameter(x, np.asarray(values), "window", trainable=False)
    bands = w.parameter(x, np.asarray(layer.triangles(n // 2 + 1)), "bands", trainable=False)
    decibels = "None"
    if layer.decibels:
        decibels = repr((layer.min_power, max(abs(layer.reference), layer.min_power), layer.top_db))
    text = f"{w.part('mel_spectrogram')}({{}}, {{}}, {{}}, {layer.frame_step}, {layer.power!r}, {decibels})"
    return w.made(text, x, window, bands, shape=w.out(layer, x).shape)
