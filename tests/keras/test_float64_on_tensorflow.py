"""Layers that TensorFlow computes in float32, proven in float64 in a process whose Keras runs on it."""

import pytest

from tests.keras.on_backend import printed

pytest.importorskip("tensorflow")
pytest.importorskip("keras")

MODELS = """
import keras

from compose import port

L = keras.layers
IMAGE, VOLUME = (4, 5, 3), (4, 5, 4, 2)
CASES = [
    (IMAGE, L.Rescaling(1 / 255.0, 0.1)), (IMAGE, L.Rescaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])),
    (IMAGE, L.UpSampling2D(2, interpolation="bilinear")), (IMAGE, L.UpSampling2D((2, 3), interpolation="bicubic")),
    (IMAGE, L.Resizing(9, 5)), (IMAGE, L.Resizing(3, 2, "bicubic", antialias=True)),
    (IMAGE, L.Resizing(7, 8, "lanczos3")),
    (IMAGE, L.LeakyReLU(0.3)), (IMAGE, L.Activation("leaky_relu")), (IMAGE, L.ReLU(6.0, 0.1)),
    (VOLUME, L.MaxPooling3D(2)), (VOLUME, L.MaxPooling3D(2, 1, "same")), (VOLUME, L.AveragePooling3D((1, 2, 3), 2)),
    (VOLUME, L.AveragePooling3D(2, padding="same")), (VOLUME, L.GlobalMaxPooling3D()),
    ((6, 4), L.MaxPooling1D(2)), ((6, 4), L.AveragePooling1D(3, 2, "same")),
]
for shape, layer in CASES:
    report = port.from_keras(keras.Sequential([keras.Input(shape), layer])).verify("gradients")
    assert report.ok and max(row.error for row in report.rows if row.check != "witness") < 1e-12, (layer, report)
x = keras.Input((6, 6, 3))
h = L.LeakyReLU(0.2)(L.BatchNormalization()(L.Conv2D(4, 3)(L.Rescaling(1 / 127.5, -1)(x))))
assert port.from_keras(keras.Model(x, L.UpSampling2D(2, interpolation="bilinear")(h))).verify("step").ok
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_equal_in_float64():
    assert printed(MODELS, "tensorflow") == "tensorflow"
