"""Keras layers whose kernels are made of others: LoRA and spectral normalisation; and models from files."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
L = keras.layers


def chain(shape, *layers, dtype=None):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def adapted(model, *names, **options):
    for name in names:
        model.get_layer(name).enable_lora(2, **options)
    return model


def spectral():
    layers = [L.SpectralNormalization(L.Conv2D(3, 2, activation="relu"), power_iterations=2), L.Flatten()]
    return chain((4, 4, 2), *layers, L.SpectralNormalization(L.Dense(5)), L.Dense(2))


def dense():
    model = chain((4,), L.Dense(6, "relu", name="a"), L.Dense(5, use_bias=False, name="b"), L.Dense(2))
    return adapted(adapted(model, "a"), "b", lora_alpha=5)


def kernels():
    return adapted(chain((5, 4, 2), L.Conv2D(3, 2, activation="tanh", name="a"), L.Flatten(), L.Dense(2)), "a")


def table():
    return adapted(chain((4,), L.Embedding(7, 5, name="a"), L.Flatten(), L.Dense(2), dtype="int32"), "a", lora_alpha=4)


CASES = {f.__name__: f for f in (spectral, dense, kernels, table)}


@proofs(CASES, level="steps")
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    assert port.from_keras(CASES[name]()).verify(level).ok


def test_the_words():
    assert "lora(fc(6, bias=False), rank=2)" in str(port.from_keras(dense()).net)
    assert "spectral_norm(fc(5), epsilon=1e-24)" in str(port.from_keras(spectral()).net)


def test_lora_elsewhere_says_what_to_do():
    model = chain((3, 4), L.EinsumDense("btd,de->bte", (None, 5), name="a"))
    assert port.from_keras(adapted(model, "a")).verify("gradients").ok  # read by its operations
    x = keras.Input((3, 4))
    attention = L.MultiHeadAttention(2, 2)
    model = keras.Model(x, attention(x, x))
    attention.query_dense.enable_lora(2)
    with pytest.raises(PortError, match="merge LoRA"):
        port.from_keras(model)


@pytest.mark.parametrize("end", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore")  # h5py, and what Keras says of HDF5
def test_a_model_from_a_file(end, tmp_path):
    keras.utils.set_random_seed(0)
    model = chain((6, 5, 2), L.Conv2D(3, 3), L.BatchNormalization(), L.ReLU(), L.Flatten(), L.Dense(2))
    model.save(tmp_path / f"model.{end}")
    p = port.from_keras(keras.models.load_model(tmp_path / f"model.{end}", compile=False))
    x = np.random.default_rng(0).normal(size=(3, 6, 5, 2)).astype("float32")
    np.testing.assert_allclose(p.net.apply(p.params, p.state, x)[0], model(x), rtol=1e-4, atol=1e-5)
