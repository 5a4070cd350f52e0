"""Recurrent, attention and image-growing models of Keras, proven to equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from compose.port.ir.weights import View
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
L = keras.layers


def lstm():
    return keras.Sequential([keras.Input((5, 3)), L.LSTM(4, return_sequences=True, dropout=0.2), L.LSTM(3), L.Dense(2)])


def gru():
    layers = [L.GRU(4, return_sequences=True), L.GRU(3, go_backwards=True), L.Dense(2)]
    return keras.Sequential([keras.Input((5, 3)), *layers])


def gru_reset_before():
    layers = [L.GRU(4, reset_after=False, return_sequences=True), L.GRU(3, use_bias=False), L.Dense(2)]
    return keras.Sequential([keras.Input((5, 3)), *layers])


def simple_rnn():
    layers = [L.SimpleRNN(4, "relu", return_sequences=True, go_backwards=True), L.RNN([L.LSTMCell(3), L.GRUCell(2)])]
    return keras.Sequential([keras.Input((5, 3)), *layers])


def bidirectional():
    layers = [
        L.Bidirectional(L.LSTM(4, return_sequences=True)),
        L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum"),
        L.Bidirectional(L.LSTM(2), backward_layer=L.LSTM(2, "relu", go_backwards=True), merge_mode="ave"),
        L.Dense(2),
    ]
    return keras.Sequential([keras.Input((5, 3)), *layers])


def sequence_to_sequence():
    x, y = keras.Input((5, 3)), keras.Input((4, 2))
    _, h, c = L.LSTM(4, return_state=True)(x)
    z = L.LSTM(4, return_sequences=True)(y, initial_state=[h, c])
    _, a, b = L.Bidirectional(L.GRU(2, return_state=True))(y)
    z = L.GRU(2)(z, initial_state=a)
    return keras.Model([x, y], [L.Dense(2)(z), L.Concatenate()([c, b])])


def conv_lstm():
    layers = [L.ConvLSTM2D(3, 3, padding="same", return_sequences=True), L.ConvLSTM2D(2, 2), L.Flatten(), L.Dense(2)]
    return keras.Sequential([keras.Input((3, 5, 5, 2)), *layers])


def time_distributed():
    inner = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(4)])
    layers = [L.TimeDistributed(inner), L.TimeDistributed(L.LayerNormalization()), L.LSTM(2)]
    return keras.Sequential([keras.Input((3, 6, 6, 2)), *layers])


def encoder_block():
    x = keras.Input((5, 8))
    h = L.LayerNormalization()(x)
    h = x + L.MultiHeadAttention(2, 4, dropout=0.1)(h, h)
    f = L.Dense(8)(L.Dense(16, "gelu")(L.LayerNormalization()(h)))
    return keras.Model(x, h + L.Dropout(0.1)(f))


def decoder_block():
    x, memory = keras.Input((5, 8)), keras.Input((4, 6))
    h = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    h = L.LayerNormalization()(h + L.MultiHeadAttention(2, 3)(h, memory))
    h = L.GroupQueryAttention(4, 4, 2)(h, h)
    return keras.Model([x, memory], L.Dense(3, use_bias=False)(h))


def attention():
    q, v = keras.Input((5, 4)), keras.Input((6, 4))
    a = L.Attention(use_scale=True)([q, v])
    b, scores = L.AdditiveAttention()([q, v, v], return_attention_scores=True)
    return keras.Model([q, v], [L.Dense(2)(a + b), scores])


def text():
    ids = keras.Input((6,), dtype="int32")
    x = L.Embedding(10, 8)(ids)
    x = L.SpatialDropout1D(0.1)(x)
    return keras.Model(
        ids, L.Dense(1, "sigmoid")(L.GlobalMaxPooling1D()(L.Bidirectional(L.LSTM(3, return_sequences=True))(x)))
    )


CASES = {
    f.__name__: f
    for f in (
        lstm, gru, gru_reset_before, simple_rnn, bidirectional, sequence_to_sequence, conv_lstm, time_distributed,
        encoder_block, decoder_block, attention, text,
    )
}  # fmt: skip


@proofs(CASES)
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    assert port.from_keras(CASES[name]()).verify(level).ok


def test_reordered_gates_go_back():
    view = View("bias", rows=(1, 2), split=(3, 2), order=(0, (1, 2, 0)), shape=(6,))
    source = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(view.forward(source), [8, 9, 10, 11, 6, 7])
    np.testing.assert_array_equal(view.backward(view.forward(source), source), source[1:])


def test_what_has_no_equal_names_the_layer():
    model = keras.Sequential([keras.Input((5, 3), batch_size=2), L.LSTM(4, stateful=True, name="memory")])
    with pytest.raises(PortError, match="stateful=False") as raised:
        port.from_keras(model)
    assert "in the Keras layer memory" in raised.value.__notes__
