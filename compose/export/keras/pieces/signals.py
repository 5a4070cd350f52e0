# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalIterable=false
"""Spectra."""

from __future__ import annotations

import math

from keras import ops


def framed(x, window, step):
    """The frames of `(..., time)`, under the window: `(..., frames, length)`."""
    length = window.shape[0]
    count = (x.shape[-1] - length) // step + 1
    return ops.stack([x[..., i * step : i * step + length] for i in range(count)], axis=-2) * window


def stft_spectrogram(x, window, step, fft_length, mode, padding, least, expand_dims):
    """The short-time Fourier transform of `(batch, time, channels)`."""
    frames = framed(ops.pad(ops.swapaxes(x, 1, 2), [(0, 0), (0, 0), padding]), window, step)
    real, imag = ops.rfft(frames, fft_length)
    if mode in ("real", "imag"):
        y = real if mode == "real" else imag
    elif mode == "angle":
        y = ops.arctan2(imag, real)
    elif mode == "stft":
        y = ops.concatenate([real, imag], axis=-1)
    else:
        y = real**2 + imag**2
        if mode == "psd":
            y = ops.concatenate([y[..., :1], 2 * y[..., 1:-1], y[..., -1:]], axis=-1)
        else:
            y = ops.sqrt(ops.maximum(y, least))
            y = ops.log(y) if mode == "log" else y
    if expand_dims:
        return ops.transpose(y, (0, 2, 3, 1))
    y = ops.swapaxes(y, 1, 2)
    return ops.reshape(y, (-1, y.shape[1], y.shape[2] * y.shape[3]))


def mel_spectrogram(x, window, bands, step, power, decibels):
    """The power of each frame of `(batch, samples)` in bands, in decibels if `(least, reference, range)` is given."""
    half = window.shape[0] // 2
    real, imag = ops.rfft(framed(ops.pad(x, [(0, 0), (half, half)], mode="reflect"), window, step), window.shape[0])
    y = ops.matmul((real**2 + imag**2) ** (power / 2), bands)
    if decibels is not None:
        least, reference, span = decibels
        y = 10 / math.log(10) * ops.log(ops.maximum(y, least) / reference)
        y = ops.maximum(y, ops.max(y, axis=(1, 2), keepdims=True) - span)
    return ops.swapaxes(y, 1, 2)
