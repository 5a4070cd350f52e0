"""Mel spectrograms, whose loudest number is that of the batch in Keras."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port

keras = pytest.importorskip("keras")


@pytest.mark.parametrize("options", [{"top_db": 5.0, "ref_power": 2.0}, {"power_to_db": False, "window": "hamming"}])
def test_mel_spectrogram(options):
    layer = keras.layers.MelSpectrogram(16, 4, num_mel_bins=4, sampling_rate=200, min_freq=1.0, **options)
    ported = port.from_keras(keras.Sequential([keras.Input((40,)), layer]))
    assert ported.verify("gradients", tolerance=1e-8).ok  # its bands are in float32 in Keras
    x = np.random.default_rng(0).normal(size=(4, 40)) * [[1], [100], [1], [1e-3]]
    ours, _ = ported.net.apply(ported.params, ported.state, x.astype("float32"))
    np.testing.assert_allclose(ours, layer(x), rtol=1e-3, atol=1e-3)
