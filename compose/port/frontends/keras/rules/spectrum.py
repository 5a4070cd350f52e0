"""Spectrograms."""

from __future__ import annotations

import math

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule


@rule("keras.layers.MelSpectrogram")
def _mel_spectrogram(walk, layer, x):
    if walk.rank != 2:
        raise PortError(f"a mel spectrogram of a batch of signals, got {walk.rank} axes")
    named = layer.window is None or isinstance(layer.window, str)
    if isinstance(layer.window, str) and layer.window not in ("hann", "hamming"):
        raise PortError(f'a window "hann" or "hamming", none, or numbers, got {layer.window!r}')
    made = word("mel_spectrogram")(
        layer.num_mel_bins, layer.fft_length, layer.sequence_stride,
        frame_length=None if layer.sequence_length == layer.fft_length else layer.sequence_length,
        window=layer.window if named else tuple(np.asarray(layer.window, float).tolist()),
        sampling_rate=layer.sampling_rate, min_freq=float(layer.min_freq),
        max_freq=None if layer.max_freq == layer.sampling_rate // 2 else float(layer.max_freq),
        power=float(layer.mag_exp), decibels=False,
    )  # fmt: skip
    y = walk.emit(made, x)
    if not layer.power_to_db:
        return y
    y = walk.emit(word("scale")(by=10.0), walk.emit(word("ops.log10"), walk.emit(_floor(layer.min_power), y)))
    reference = 10 * math.log10(max(abs(layer.ref_power), layer.min_power))
    y = walk.emit(word("add_constant")(value=-reference), y) if reference else y
    loudest = walk.emit(word("ops.max")(axis=(0, 1, 2), keepdims=True), y, shape=(1, 1, 1))  # of the whole batch
    least = walk.emit(word("add_constant")(value=-float(layer.top_db)), loudest, shape=(1, 1, 1))
    return walk.emit(word("maximum"), y, least)


def _floor(value: float):
    return word("clip")(min=float(value))
