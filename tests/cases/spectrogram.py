"""Cases of spectra: SciPy's windows, NumPy's transform frame by frame, triangles by interpolation."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.signal import get_window

from compose import mel_spectrogram, stft_spectrogram
from tests.cases.case import Case

VIEWS: dict[Any, Callable] = {
    "real": np.real,
    "imag": np.imag,
    "angle": np.angle,
    "stft": lambda z: np.concatenate((z.real, z.imag), -1),
    "psd": lambda z: np.abs(z) ** 2 * np.r_[1, np.full(z.shape[-1] - 2, 2), 1],
    "magnitude": lambda z: np.sqrt(np.maximum(np.abs(z) ** 2, 1e-7)),
    "log": lambda z: np.log(np.maximum(np.abs(z) ** 2, 1e-7)) / 2,
}


def named(window, length, periodic=True):
    return np.asarray(get_window(window, length, periodic))


def frames(signal, w, step, size):
    """The transform of each frame of one signal."""
    return np.stack([np.fft.rfft(signal[i : i + len(w)] * w, size) for i in range(0, len(signal) - len(w) + 1, step)])


def short_time(mode, w, step, size, pads=(0, 0)):
    def reference(p, s, x):
        padded = np.pad(x, [(0, 0), pads, (0, 0)])
        return np.stack([[VIEWS[mode](frames(c, w, step, size)) for c in one.T] for one in padded])

    return reference


def flat(reference):
    return lambda p, s, x: np.concatenate(reference(p, s, x).swapaxes(0, 1), -1)


def images(reference):
    return lambda p, s, x: reference(p, s, x).transpose(0, 2, 3, 1)


def mel(bands, w, step, size, power=2.0, low=20.0, high=8000.0, rate=16000, top=None, reference=1.0):
    def scale(f):
        return 1127 * np.log1p(np.asarray(f) / 700)

    def one(signal):
        spectrum = np.abs(frames(np.pad(signal, size // 2, "reflect"), w, step, size)) ** power
        at, edges = scale(np.fft.rfftfreq(size, 1 / rate)), np.linspace(scale(low), scale(high), bands + 2)
        y = np.stack([spectrum @ np.interp(at, edges[i : i + 3], [0, 1, 0], 0, 0) for i in range(bands)])
        if top is None:
            return y
        y = 10 * np.log10(np.maximum(y, 1e-10)) - 10 * np.log10(reference)
        return np.maximum(y, y.max() - top)

    return lambda p, s, x: np.stack([one(signal) for signal in x])


SIGNAL, WAVE = (2, 42, 3), (2, 100)
HANN = named("hann", 16, False)
UNIT = HANN / np.sqrt(np.sum(HANN**2))
OWN = (0.2, 0.7, 1.0, 0.9, 0.3)
CASES = [
    *(Case(stft_spectrogram(m, 16), (SIGNAL,), flat(short_time(m, UNIT, 8, 16))) for m in VIEWS),
    Case(
        stft_spectrogram("psd", 12, 5, 20, "hamming", periodic=True, scaling="spectrum", padding="same"),
        (SIGNAL,),
        flat(short_time("psd", named("hamming", 12) / named("hamming", 12).sum(), 5, 20, (5, 5))),
    ),
    Case(
        stft_spectrogram("stft", 5, 3, window=OWN, scaling=None, expand_dims=True),
        (SIGNAL,),
        images(short_time("stft", np.array(OWN), 3, 8)),
    ),
    Case(
        stft_spectrogram("magnitude", 8, window=None, expand_dims=True),
        (SIGNAL,),
        images(short_time("magnitude", np.ones(8), 4, 8)),
    ),
    Case(mel_spectrogram(5, 32, 10), (WAVE,), mel(5, named("hann", 32), 10, 32, top=80.0)),
    Case(
        mel_spectrogram(4, 64, 20, 40, "hamming", 8000, 100.0, 3000.0, power=1.0, decibels=False),
        (WAVE,),
        mel(4, np.pad(named("hamming", 40), 12), 20, 64, 1.0, 100.0, 3000.0, 8000),
    ),
    Case(
        mel_spectrogram(6, 32, 16, window=None, top_db=6.0, reference=2.5),
        (WAVE,),
        mel(6, np.ones(32), 16, 32, top=6.0, reference=2.5),
    ),
]
