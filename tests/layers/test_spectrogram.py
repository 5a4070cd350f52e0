"""Spectra against Keras in float64, which takes its cosines and logarithms in the default dtype, not in the layer's."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import get_window

from compose import mel_spectrogram, stft_spectrogram
from compose.core.errors import ConfigError, DtypeError, ShapeError

keras = pytest.importorskip("keras")
float64 = pytest.importorskip("compose.keras.float64").float64

STFT: list[dict[str, Any]] = [
    *({"mode": mode} for mode in ("log", "magnitude", "psd", "real", "imag", "stft")),
    {"frame_length": 50, "frame_step": 20, "fft_length": 128, "window": "hamming", "periodic": True,
     "scaling": "spectrum", "padding": "same"},
    {"frame_length": 64, "fft_length": 64, "window": None, "mode": "psd", "expand_dims": True},
    {"frame_length": 100, "fft_length": 128, "scaling": None, "mode": "stft", "expand_dims": True, "padding": "same"},
]  # fmt: skip
MEL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    (
        {"bands": 40, "fft_length": 512, "frame_step": 100, "frame_length": 301, "window": "hamming"},
        {"num_mel_bins": 40, "fft_length": 512, "sequence_stride": 100, "sequence_length": 301, "window": "hamming"},
    ),
    (
        {"fft_length": 512, "sampling_rate": 8000, "min_freq": 50.0, "max_freq": 3000.0, "power": 1.0},
        {"fft_length": 512, "sampling_rate": 8000, "min_freq": 50.0, "max_freq": 3000.0, "mag_exp": 1.0},
    ),
    (
        {"fft_length": 512, "window": None, "frame_length": 400, "top_db": 5.0, "reference": 3.0},
        {"fft_length": 512, "window": None, "sequence_length": 400, "top_db": 5.0, "ref_power": 3.0},
    ),
    ({"decibels": False}, {"power_to_db": False}),
]


@pytest.fixture
def double(x64):
    with float64():
        yield


def in_keras(x, mode="log", frame_length=256, fft_length=256, window="hann", periodic=False, scaling="density", **rest):
    """Keras's layer, whose weights are cosines and sines of float32 in any dtype, with these in float64."""
    made = keras.layers.STFTSpectrogram(
        mode, frame_length, fft_length=fft_length, window=window, periodic=periodic, scaling=scaling, **rest
    )
    made.build(x.shape)
    w = np.asarray(get_window(window, frame_length, periodic)) if window else np.ones(frame_length)
    by = {"density": np.linalg.norm(w), "spectrum": w.sum(), None: 1.0}[scaling if window else None]
    turns = np.outer(np.arange(frame_length), np.arange(fft_length // 2 + 1)) / fft_length
    exact = (np.exp(-2j * np.pi * turns) * w[:, None] / by)[:, None]
    for weight in made.weights:
        part = exact.real if weight.name == "real_kernel" else exact.imag
        np.testing.assert_allclose(np.asarray(weight.value), part, rtol=0, atol=5e-5)
        weight.assign(part)
    return made(x)


@pytest.mark.parametrize("options", STFT, ids=str)
def test_stft_is_keras(options, double, rng):
    x = jnp.asarray(rng.normal(size=(2, 700, 3)))
    np.testing.assert_allclose(stft_spectrogram(**options)(x), in_keras(x, **options), rtol=0, atol=1e-9)


def test_phase_is_keras(double, rng):
    """As a direction: at the constant Keras's phase of a negative number is as often -pi as pi. It is in float32."""
    x = jnp.asarray(rng.normal(size=(2, 700, 1)))
    ours, theirs = stft_spectrogram("angle")(x), in_keras(x, "angle")
    np.testing.assert_allclose(jnp.exp(1j * ours), jnp.exp(1j * theirs), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("options, theirs", MEL, ids=lambda o: str(o)[:40])
def test_mel_is_keras(options, theirs, double, rng):
    x = jnp.asarray(rng.normal(size=(1, 5000)))
    made = keras.layers.MelSpectrogram(**theirs)
    made.linear_to_mel_weight_matrix = functools.partial(made.linear_to_mel_weight_matrix, dtype="float64")
    np.testing.assert_allclose(mel_spectrogram(**options)(x), made(x), rtol=1e-9, atol=1e-9)


def test_the_loudest_of_one_signal_leaves_another_alone(rng):
    x = np.array([[1000], [0.001]], np.float32) * rng.normal(size=(2, 4000)).astype(np.float32)
    net = mel_spectrogram(40, 512, top_db=20.0)
    np.testing.assert_allclose(net(x)[1:], net(x[1:]), atol=1e-4)


WRONG: list[tuple[Any, dict[str, Any]]] = [
    *((stft_spectrogram, o) for o in ({"frame_step": 300}, {"fft_length": 128}, {"fft_length": 301})),
    *((mel_spectrogram, o) for o in ({"frame_length": 4096}, {"min_freq": 9000.0}, {"bands": 0})),
    *((word, {"window": (1.0, 2.0)}) for word in (stft_spectrogram, mel_spectrogram)),
]


@pytest.mark.parametrize("word, options", WRONG)
def test_wrong_options(word, options):
    with pytest.raises(ConfigError):
        word(**options)


def test_wrong_inputs():
    for net, shape in ((stft_spectrogram(), (2, 300, 1)), (mel_spectrogram(), (2, 300))):
        with pytest.raises(DtypeError):
            net.out(np.zeros(shape, np.int32))
        with pytest.raises(ShapeError):
            net.out(np.zeros((300,), np.float32))
    with pytest.raises(ShapeError, match="window of 256"):
        stft_spectrogram().out(np.zeros((1, 200, 1), np.float32))
