"""Keras models whose padded steps are masked, proven to twenty equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import branch, embedding, lstm, ops, port
from compose.core.errors import PortError
from compose.port.frontends.keras.examples import examples_for
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
L = keras.layers


def ids(*layers):
    return keras.Sequential([keras.Input((6,), dtype="int32"), L.Embedding(5, 4, mask_zero=True), *layers])


def last_step():
    return ids(L.Dropout(0.1), L.LSTM(3, return_sequences=True), L.Bidirectional(L.GRU(2)), L.Dense(2))


def mean_step():
    layers = [
        L.Masking(-1.0),
        L.GRU(3, return_sequences=True, zero_output_for_mask=True),
        L.TimeDistributed(L.Dense(2)),
    ]
    return keras.Sequential([keras.Input((6, 2)), *layers, L.GlobalAveragePooling1D()])


def encoder():
    x = keras.Input((6,), dtype="int32")
    h = L.Embedding(5, 4, mask_zero=True)(x)
    h = L.LayerNormalization()(L.Add()([h, L.MultiHeadAttention(2, 2)(h, h)]))
    return keras.Model(x, L.GlobalAveragePooling1D()(L.Dense(4)(h)))


def dropped():
    x = keras.Input((6,), dtype="int32")
    h = L.Embedding(5, 4, mask_zero=True)(x)
    return keras.Model(x, L.MultiHeadAttention(2, 2, dropout=0.1)(h, h, use_causal_mask=True))


def scored():
    x, y = (keras.Input((n,), dtype="int32") for n in (6, 5))
    word = L.Embedding(5, 4, mask_zero=True)
    return keras.Model([x, y], L.Dense(2)(L.AdditiveAttention()([word(x), word(y)])))


def given():
    x, real, seen = keras.Input((5, 4)), keras.Input((5,), dtype="bool"), keras.Input((5, 5), dtype="bool")
    a = L.SimpleRNN(3)(x, mask=real)
    b = L.MultiHeadAttention(2, 2)(x, x, attention_mask=seen)
    return keras.Model([x, real, seen], [a, b])


def padded_queries():
    """What padding asks for is read: the mean of all values, as Keras gives it."""
    x = keras.Input((6,), dtype="int32")
    h = L.Embedding(5, 4, mask_zero=True)(x)
    return keras.Model(x, L.MultiHeadAttention(2, 2)(h, h))


def taken_away():
    """Attention takes the mask off its inputs as it runs: the sum, and all that follows, has none."""
    x = keras.Input((6,), dtype="int32")
    h = L.Embedding(5, 4, mask_zero=True)(x)
    for _ in range(2):
        h = L.LayerNormalization()(L.Add()([h, L.MultiHeadAttention(2, 2)(h, h)]))
    return keras.Model(x, L.Dense(2)(L.GlobalAveragePooling1D()(h)))


CASES = {
    f.__name__: f for f in (last_step, mean_step, encoder, dropped, scored, given, padded_queries, taken_away)
}  # fmt: skip


@proofs(CASES)
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    assert port.from_keras(CASES[name]()).verify(level).ok


def test_the_examples_have_padding():
    for name in ("last_step", "given"):
        for x in examples_for(CASES[name]()):
            assert x.dtype == np.float32 or (0 < x.mean() < 1 and x[..., 0].all())
    (x,) = examples_for(mean_step())
    assert (x == -1).any() and (x != -1).any()


def test_the_text_says_what_is_padding():
    made = branch(embedding(5, 4), ops.not_equal(y=0), join=lstm(3, output="last"))
    assert port.from_keras(ids(L.LSTM(3))).net == made


def test_outputs_of_padding_that_are_read():
    assert port.from_keras(ids(L.LSTM(3, return_sequences=True))).verify("gradients").ok  # by JAX's operations


def nested():
    inner = keras.Sequential([keras.Input((6, 4)), L.LSTM(2)], name="look")
    return ids(inner)


def product():
    x = keras.Input((6,), dtype="int32")
    h = L.Embedding(5, 4, mask_zero=True)(x)
    return keras.Model(x, L.Multiply(name="look")([h, h]))


WRONG = {
    "masks within one model": nested,
    "BatchNormalization without a mask": lambda: ids(L.BatchNormalization(name="look")),
    "Multiply of values without masks": product,
}


@pytest.mark.filterwarnings("ignore:Layer 'look'")
@pytest.mark.parametrize("said", WRONG)
def test_a_mask_without_an_equal_names_the_layer(said):
    with pytest.raises(PortError, match=said) as raised:
        port.from_keras(WRONG[said]())
    assert "look" in str(raised.value) + "".join(getattr(raised.value, "__notes__", []))


def test_choices_between_values_numbers_and_arrays():
    x = keras.Input((5,))
    mask, row = np.tril(np.ones((5, 5), bool))[2], np.arange(5.0)
    parts = [
        keras.ops.where(x > 0, x, 2.0), keras.ops.where(x > 0, -1.0, x), keras.ops.where(x > 0, x, row),
        keras.ops.where(mask, x * 2, 1.0),
        keras.ops.where(x > 0, row, x),
    ]  # fmt: skip
    p = port.from_keras(keras.Model(x, keras.layers.Dense(2)(keras.layers.Concatenate()(parts))))
    assert p.verify("gradients").ok
