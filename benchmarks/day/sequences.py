"""Sequences: padded texts with a mask and weights, and a small language model that writes."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from compose import compose_seq, data, embedding, encoder_block, fc, generate, learned_positions, lstm, masked, softmax


def texts_data():
    """LSTM classifier of sequences of several lengths: mask, class weights, sample weights"""
    rng = np.random.default_rng(0)
    y = (np.arange(400) % 4 == 0).astype(int)
    rows = [[int(i) for i in rng.integers(1 + 10 * kind, 11 + 10 * kind, rng.integers(3, 12))] for kind in y]
    return rows, y, rng.uniform(0.5, 1.5, 400)


def texts_ours(rows, y, weight):
    x = data.pad_sequences(rows)
    net = masked(compose_seq(embedding(21, 8), lstm(16, output="last"), fc(2, softmax)))
    options = dict(loss="cross_entropy", metrics="accuracy", learning_rate=0.01, epochs=5, verbose=False)
    trained = net.fit(x, y, class_weight={0: 1.0, 1: 3.0}, sample_weight=weight, **options)
    return trained.evaluate(x, y)["accuracy"] > 0.9


def texts_keras(rows, y, weight):
    x = keras.utils.pad_sequences(rows, padding="post")
    weight = weight * np.where(y == 1, 3.0, 1.0)  # Keras takes one of both kinds of weights
    model = keras.Sequential([layers.Embedding(21, 8, mask_zero=True), layers.LSTM(16), layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, sample_weight=weight, epochs=5, verbose=0)
    return model.evaluate(x, y, verbose=0)[1] > 0.9


def writer_data():
    """a small GPT over characters that writes text (Keras without a cache)"""
    return ("the quick brown fox jumps over the lazy dog " * 20,)


def writer_ours(text):
    letters = sorted(set(text))
    ids = np.array([letters.index(c) for c in text])
    windows = np.lib.stride_tricks.sliding_window_view(ids, 33)
    block = encoder_block(4, 128, causal=True, pre_norm=True)
    net = compose_seq(embedding(len(letters), 32), learned_positions(64), block, block, fc(len(letters)))
    options = dict(loss="cross_entropy", learning_rate=0.01, epochs=3, verbose=False)
    trained = net.fit(windows[:, :-1], windows[:, 1:], **options)
    new = generate(net, trained.params, trained.state, ids[:10], steps=20)
    return "".join(letters[i] for i in new) == text[10:30]


class Positions(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape[1:], "normal")

    def call(self, x):
        return x + self.table


def writer_keras(text):
    letters = sorted(set(text))
    ids = np.array([letters.index(c) for c in text])
    windows = np.lib.stride_tricks.sliding_window_view(ids, 33)
    inputs = keras.Input((32,), dtype="int32")
    x = Positions()(layers.Embedding(len(letters), 32)(inputs))
    for _ in range(2):
        h = layers.LayerNormalization()(x)
        x += layers.Dropout(0.1)(layers.MultiHeadAttention(4, 8)(h, h, use_causal_mask=True))
        h = layers.Dense(128, "relu")(layers.LayerNormalization()(x))
        x += layers.Dropout(0.1)(layers.Dense(32)(h))
    model = keras.Model(inputs, layers.Dense(len(letters))(x))
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(windows[:, :-1], windows[:, 1:], epochs=3, verbose=0)
    new = list(ids[:10])
    for _ in range(20):
        padded = np.pad(new, (0, 32 - len(new)))[None]
        new.append(int(ops.argmax(model(padded)[0, len(new) - 1])))
    return "".join(letters[i] for i in new[10:]) == text[10:30]
