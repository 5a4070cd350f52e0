"""A Keras model that runs on PyTorch, in a process of its own: Keras takes its backend when it is imported."""

import pytest

from tests.keras.on_backend import printed

pytest.importorskip("torch")
pytest.importorskip("keras")

MODEL = """
import keras

from compose import port

L = keras.layers
x = keras.Input((8, 8, 3))
h = L.BatchNormalization()(L.Conv2D(4, 3, padding="same", strides=2)(x))
h = L.Reshape((-1, 4))(L.DepthwiseConv2D(3, activation="relu")(h))
h = L.GRU(5, return_sequences=True)(L.LSTM(5, return_sequences=True)(h))
y = L.Dense(3, activation="gelu")(L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 4)(h, h)))
p = port.from_keras(keras.Model(x, y))
assert p.verify("steps").ok
report = p.verify("steps", optimizer=keras.optimizers.Adam(0.01))
assert "moved by rounding" in str(report), report  # the bias before batch norm
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_twenty_steps():
    assert printed(MODEL, "torch") == "torch"
