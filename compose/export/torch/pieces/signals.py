"""Spectra, histograms, vocabularies, and places that are written."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def stft_spectrogram(x, window, step, fft_length, mode, padding, least, expand_dims):
    """The short-time Fourier transform of `(batch, time, channels)`."""
    frames = F.pad(x.transpose(1, 2), padding).unfold(-1, len(window), step)
    z = torch.fft.rfft(frames * window, fft_length)
    if mode in ("real", "imag"):
        y = getattr(z, mode)
    elif mode == "angle":
        y = torch.atan2(z.imag, z.real)
    elif mode == "stft":
        y = torch.cat([z.real, z.imag], -1)
    else:
        power = z.real**2 + z.imag**2
        if mode == "psd":
            y = torch.cat([power[..., :1], 2 * power[..., 1:-1], power[..., -1:]], -1)
        else:
            y = power.clamp(min=least).sqrt()
            y = y.log() if mode == "log" else y
    return y.permute(0, 2, 3, 1) if expand_dims else y.transpose(1, 2).flatten(2)


def mel_spectrogram(x, window, bands, step, power, decibels):
    """The power of each frame of `(batch, samples)` in bands, in decibels if `(least, reference, range)` is given."""
    half = len(window) // 2
    frames = F.pad(x[:, None], (half, half), mode="reflect")[:, 0].unfold(-1, len(window), step)
    z = torch.fft.rfft(frames * window)
    y = (z.real**2 + z.imag**2) ** (power / 2) @ bands
    if decibels is not None:
        least, reference, span = decibels
        y = 10 * torch.log10(y.clamp(min=least) / reference)
        y = torch.maximum(y, y.amax((1, 2), keepdim=True) - span)
    return y.transpose(1, 2)


def equalize(x, bins):
    """Equalises the histogram of each channel of each image of `(batch, *space, channels)`."""
    level = (x * (bins - 1)).clamp(0, bins - 1).long().movedim(-1, 1).flatten(2)
    counts = torch.zeros(*level.shape[:2], bins, dtype=torch.long, device=x.device)
    total = counts.scatter_add(2, level, torch.ones_like(level)).cumsum(-1)
    first = total.gather(-1, level.amin(-1, keepdim=True))
    rest = total[..., -1:] - first
    table = torch.round(255 * (total - first).clamp(min=0).to(x.dtype) / rest.clamp(min=1)) / 255
    y = table.gather(-1, level).unflatten(2, x.shape[1:-1])
    constant = (rest == 0).view(*rest.shape[:2], *[1] * (x.ndim - 2))
    return torch.where(constant, x.movedim(-1, 1), y).movedim(1, -1)


def integer_lookup(x, vocabulary, unknown, mask_token):
    """The index of each integer in the vocabulary, after those for unknown ones."""
    first = 0 if mask_token is None else 1
    y = first + x % unknown
    for i, known in enumerate(vocabulary):
        y = torch.where(x == known, first + unknown + i, y)
    return y if mask_token is None else torch.where(x == mask_token, 0, y)


def scatter(x, places, values, axis, mode):
    """`x` with values written along an axis."""
    places, values = places.long(), values.to(x.dtype)
    if mode == "set":
        return x.scatter(axis, places, values)
    return x.scatter_reduce(axis, places, values, {"add": "sum", "min": "amin", "max": "amax"}[mode])
