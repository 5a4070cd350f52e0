"""Spectrograms."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, expect_float, expect_rank
from compose.core.layer import Layer, layer
from compose.layers.window import explicit_padding

__all__ = ["mel_spectrogram", "stft_spectrogram"]

Taper = Literal["hann", "hamming"] | tuple[float, ...] | None
LEAST = 1e-7  # the lower bound of the power before the square root; Keras's epsilon


@layer
class stft_spectrogram(Layer):
    """Short-time Fourier transform: `sum_t w[t] x[t] exp(-2πi k t / fft_length)` of each frame, k up to half of it.

    Shapes: `(batch, time, channels) -> (batch, frames, channels · frequencies)` with `fft_length // 2 + 1`
    frequencies, twice as many for "stft" (real, then imaginary); `(batch, frames, frequencies, channels)` with
    `expand_dims`.

    Elsewhere: Keras `STFTSpectrogram(trainable=False)`; pass its other windows as numbers. Its default trains the
    transform's cosines and sines as weights; this one has no weights and uses the FFT.

    Args:
        mode: log magnitude, magnitude, power (doubled for all but the first and last frequency), real part, imaginary
            part, phase, or both parts.
        frame_step: the hop between frames; None for half a frame.
        fft_length: even; frames are zero-padded to it. None for the next power of two.
        window: a name or the values; None for all ones without scaling.
        periodic: use a window of `frame_length + 1` without its last value.
        scaling: divide the window by the root of its energy, by its sum, or not at all.
        padding: "same" gives ceil(time / frame_step) frames.
    """

    mode: Literal["log", "magnitude", "psd", "real", "imag", "angle", "stft"] = "log"
    frame_length: int = 256
    frame_step: int | None = None
    fft_length: int | None = None
    window: Taper = "hann"
    periodic: bool = False
    scaling: Literal["density", "spectrum"] | None = "density"
    padding: Literal["valid", "same"] = "valid"
    expand_dims: bool = False

    def validate(self):
        if self.frame_length < 2 or not 1 <= (self.frame_step or 1) <= self.frame_length:
            raise ConfigError("a frame_length of at least 2 and a frame_step from 1 to it", f"{self.frame_step}")
        if self.fft_length is not None and (self.fft_length < self.frame_length or self.fft_length % 2):
            raise ConfigError(f"an even fft_length of at least {self.frame_length}", str(self.fft_length))
        taper(self.window, self.frame_length, self.periodic)

    def forward(self, p, x, ctx):
        expect_rank(x, 3, "(batch, time, channels)")
        expect_float(x)
        length, step = self.frame_length, self.frame_step or self.frame_length // 2
        pads = explicit_padding(self.padding, (x.shape[1],), (length,), (step,), (1,))
        padded = jnp.pad(x, [(0, 0), *pads, (0, 0)]).swapaxes(1, 2)
        w = taper(self.window, length, self.periodic)
        if self.window is not None and self.scaling:
            w = w / (np.sqrt(np.square(w).sum()) if self.scaling == "density" else np.abs(w).sum())
        y = self.view(spectra(padded, w, step, self.fft_length or 1 << (length - 1).bit_length()))
        y = y.transpose(0, 2, 3, 1) if self.expand_dims else y.swapaxes(1, 2).reshape(x.shape[0], y.shape[2], -1)
        return y.astype(x.dtype)

    def view(self, z):
        match self.mode:
            case "real":
                return z.real
            case "imag":
                return z.imag
            case "angle":
                return jnp.arctan2(z.imag, z.real)
            case "stft":
                return jnp.concatenate((z.real, z.imag), -1)
        power = energy(z)
        if self.mode == "psd":
            return power.at[..., 1:-1].multiply(2)
        magnitude = jnp.sqrt(jnp.maximum(power, LEAST))
        return magnitude if self.mode == "magnitude" else jnp.log(magnitude)


@layer
class mel_spectrogram(Layer):
    """Mel spectrogram: the power of each frame in triangular bands, equally spaced on the mel scale, in decibels.

    Shapes: `(batch, samples) -> (batch, bands, frames)` with `1 + samples // frame_step` frames for an even
    `fft_length`; frames are centred, and the signal is reflected at its ends. `mel(f) = 1127 ln(1 + f / 700)`.

    Elsewhere: Keras `MelSpectrogram`, whose `top_db` is relative to the maximum of the batch; here it is relative to
    that of each signal. torchaudio uses the same scale (`mel_scale="htk"`), but its triangles are linear in hertz.

    Args:
        frame_step, frame_length: Keras's `sequence_stride` and `sequence_length`; None for `fft_length`.
        window: a name (periodic) or the values; None for all ones.
        max_freq: None for half the sampling rate.
        power: the exponent of the magnitude; Keras's `mag_exp`.
        decibels: return `10 log10(y / reference)`, both at least `min_power`, clipped at `top_db` below the maximum.
    """

    bands: int = 128
    fft_length: int = 2048
    frame_step: int = 512
    frame_length: int | None = None
    window: Taper = "hann"
    sampling_rate: int = 16000
    min_freq: float = 20.0
    max_freq: float | None = None
    power: float = 2.0
    decibels: bool = True
    top_db: float = 80.0
    min_power: float = 1e-10
    reference: float = 1.0

    def validate(self):
        length = self.frame_length or self.fft_length
        if not 2 <= length <= self.fft_length or self.frame_step < 1 or self.bands < 1:
            expected = "frames no longer than fft_length, a step and bands of at least 1"
            raise ConfigError(expected, f"frames of {length}")
        if not 0 <= self.min_freq < (self.max_freq or self.sampling_rate // 2):
            raise ConfigError("a min_freq from 0 to max_freq", str(self.min_freq))
        taper(self.window, length, True)

    def forward(self, p, x, ctx):
        expect_rank(x, 2, "(batch, samples)")
        expect_float(x)
        length, half = self.frame_length or self.fft_length, self.fft_length // 2
        before = (self.fft_length - length) // 2
        w = np.pad(taper(self.window, length, True), (before, self.fft_length - length - before))
        if self.window is None:
            w = np.ones(self.fft_length)  # as in Keras, over the full fft_length
        y = energy(spectra(jnp.pad(x, [(0, 0), (half, half)], "reflect"), w, self.frame_step, self.fft_length))
        y = y if self.power == 2 else y ** (self.power / 2)
        y = y @ jnp.asarray(self.triangles(y.shape[-1]), y.dtype)
        if self.decibels:
            y = 10 * jnp.log10(jnp.maximum(y, self.min_power) / max(abs(self.reference), self.min_power))
            y = jnp.maximum(y, y.max((1, 2), keepdims=True) - self.top_db)
        return y.swapaxes(1, 2).astype(x.dtype)

    def triangles(self, frequencies: int) -> np.ndarray:
        """The weight of each frequency in each band; zero for frequency 0."""
        mel = lambda f: 1127 * np.log(1 + f / 700)
        at = mel(np.linspace(0, self.sampling_rate / 2, frequencies))[:, None]
        edges = np.linspace(mel(self.min_freq), mel(self.max_freq or self.sampling_rate // 2), self.bands + 2)
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
        weights = np.minimum((at - low) / (centre - low), (high - at) / (high - centre)).clip(0)
        weights[0] = 0
        return weights


def taper(window: Taper, length: int, periodic: bool) -> np.ndarray:
    """The values of a window. Raises `ConfigError` if they have the wrong length."""
    if window is None:
        return np.ones(length)
    if isinstance(window, str):
        values = np.hanning if window == "hann" else np.hamming
        return values(length + 1)[:-1] if periodic else values(length)
    if len(window) != length:
        raise ConfigError(f"a window of length {length}", f"length {len(window)}")
    return np.asarray(window)


def spectra(x, window: np.ndarray, step: int, fft_length: int):
    """The FFT of each frame along the last axis: `(..., time) -> (..., frames, fft_length // 2 + 1)`."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    starts = np.arange(0, x.shape[-1] - len(window) + 1, step)
    frames = wide[..., starts[:, None] + np.arange(len(window))]
    return jnp.fft.rfft(frames * jnp.asarray(window, wide.dtype), fft_length)


def energy(z):
    return jnp.square(z.real) + jnp.square(z.imag)
