"""Options of Keras that change what is computed or trained: ported, refused by name, or said in the report."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")
L = keras.layers


def one(layer, *shape):
    return keras.Sequential([keras.Input(shape), layer])


REFUSED = {
    "a constraint": (lambda: one(L.Dense(4, kernel_constraint="non_neg"), 5), "NonNeg of .*dense.*kernel"),
    "of a norm": (
        lambda: one(L.BatchNormalization(gamma_constraint="max_norm"), 5),
        "without constraints, got MaxNorm",
    ),
    "of a cell": (lambda: one(L.LSTM(4, recurrent_constraint="unit_norm"), 3, 5), "recurrent_kernel"),
    "int8": (lambda: one(L.Dense(4, dtype="int8_from_float32"), 5), "quantised as int8"),
    "float8": (lambda: one(L.Dense(4, dtype="float8_from_float32"), 5), "quantised as float8"),
    "int8 inside": (lambda: one(L.TimeDistributed(L.Dense(4, dtype="int8_from_float32")), 3, 5), "quantised as int8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_training_or_numbers_would_lose_is_refused(name):
    made, said = REFUSED[name]
    with pytest.raises(PortError, match=said):
        port.from_keras(made())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras itself
@pytest.mark.parametrize("name", ["int8", "int4"])
def test_a_table_of_few_bits_is_the_floats_it_stands_for(name):
    model = keras.Sequential([keras.Input((5,), dtype="int32"), L.Embedding(9, 8)])
    model.layers[-1].quantize(name)
    ported = port.from_keras(model)
    assert str(ported.net) == "frozen(embedding(9, 8))"
    ids = np.arange(10, dtype=np.int32).reshape(2, 5) % 9
    y = ported.net.apply(ported.params, ported.state, ids)[0]
    np.testing.assert_allclose(y, model(ids), rtol=1e-6, atol=1e-7)
    assert np.std(y) > 0


RENORM = {
    "without limits": {},
    "with limits": {
        "renorm_clipping": {"rmin": 0.9, "rmax": 1.1, "dmax": 0.05},
        "renorm_momentum": 0.8,
        "scale": False,
    },
    "with one limit": {"renorm_clipping": {"rmax": 1.1}, "center": False, "axis": 1},
}


@pytest.mark.parametrize("name", RENORM)
def test_batch_renormalisation_trains_as_in_keras(name):
    ported = port.from_keras(one(L.BatchNormalization(renorm=True, **RENORM[name]), 4, 3))
    assert "batch_renorm" in str(ported.net) and ported.verify("steps").ok


def test_attention_with_several_last_axes():
    x = keras.Input((8, 16))
    model = keras.Model(x, L.MultiHeadAttention(2, 2, output_shape=(3, 5))(x, x))
    assert port.from_keras(model).verify("gradients").ok


def test_what_the_loss_has_besides_is_in_the_report():
    dense = L.Dense(4, kernel_regularizer=keras.regularizers.L2(0.01), activity_regularizer="l1", name="wide")
    report = port.from_keras(one(dense, 5)).verify("step")
    assert report.ok and "penalty L2(l2=0.01) of" in str(report)
    assert "of what wide makes" in str(report) and "penalty" in report.json()


@pytest.mark.slow
def test_a_vector_repeated_for_a_decoder():
    layers = [L.LSTM(4), L.RepeatVector(5), L.LSTM(3, return_sequences=True), L.TimeDistributed(L.Dense(3))]
    ported = port.from_keras(keras.Sequential([keras.Input((5, 3)), *layers]))
    assert "repeat_vector(times=5)" in str(ported.net) and ported.verify("step").ok


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_what_a_mask_hides_has_no_gradient(value):
    ported = port.from_keras(keras.Sequential([keras.Input((5, 3)), L.Masking(value), L.Dense(4)]))
    assert ported.verify("gradients").ok
    x = keras.Input((5, 3))
    both = L.Add()([L.Masking(value)(x), L.Dense(3)(x)])
    assert port.from_keras(keras.Model(x, L.LSTM(3)(both))).verify("gradients").ok


@pytest.mark.slow
def test_masked_steps_that_nothing_reads_cost_nothing():
    ported = port.from_keras(keras.Sequential([keras.Input((5, 3)), L.Masking(0.0), L.LSTM(4)]))
    assert "multiply" not in str(ported.net) and ported.verify("gradients").ok


def test_a_stopped_gradient():
    x = keras.Input((6,))
    ported = port.from_keras(keras.Model(x, x * keras.ops.stop_gradient(x)))
    assert "stop_gradient" in str(ported.net) and ported.verify("gradients").ok


def test_a_frozen_layer_before_a_free_one():
    dense = L.Dense(6)
    dense.trainable = False
    x = keras.Input((6,))
    assert port.from_keras(keras.Model(x, L.Dense(3)(dense(x)))).verify("step").ok


def test_a_repeated_axis():
    x = keras.Input((4, 6))
    for made in (keras.ops.repeat(x, 2, axis=1), keras.ops.tile(x, (1, 2, 1))):
        assert port.from_keras(keras.Model(x, made)).verify("gradients").ok


def test_the_smallest_norm_is_refused():
    x = keras.Input((4, 6))
    with pytest.raises(PortError, match="the Euclidean norm"):
        port.from_keras(keras.Model(x, keras.ops.norm(x, ord=-np.inf, axis=-1)))
