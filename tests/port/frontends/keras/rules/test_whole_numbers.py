"""Places that a model computes on, on each backend."""

from __future__ import annotations

import keras
import pytest
from keras import ops

from compose import port
from tests.keras.on_backend import printed
from tests.port.frontends.whole_numbers import KERNEL, places


def model():
    x = keras.Input((4, 6))
    h = keras.layers.Dense(6, kernel_initializer=keras.initializers.Constant(KERNEL))(x)
    array = lambda a: ops.convert_to_tensor(a.astype("int32"))
    made = places(ops.argsort(h, 1), array, ops.maximum, ops.minimum, ops.clip, ops.where)
    return keras.Model(x, sum((n + 1) / 10 * ops.take_along_axis(h, at, 1) for n, at in enumerate(made)))


def test_places_stay_whole_numbers():
    assert port.from_keras(model()).verify("step").ok


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_on_another_backend(backend):
    pytest.importorskip(backend)
    program = f"from {__name__} import *; test_places_stay_whole_numbers()"
    printed(program, backend)
