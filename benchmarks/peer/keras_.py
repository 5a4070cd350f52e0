"""Keras on the backend of `KERAS_BACKEND`: `model.fit`."""

from __future__ import annotations

import keras
from keras import layers as L

from peer.work import BLOCKS, VOCABULARY, data


def network(work: str) -> keras.Model:
    x, _, _ = data(work)
    inputs = keras.Input(x.shape[1:], dtype="int32" if work == "lm" else "float32")
    z = inputs
    norm = lambda z: L.BatchNormalization()(z)
    if work in ("mlp", "autoencoder"):
        hidden, out = ((250, 100), 10) if work == "mlp" else ((250, 50, 250), 784)
        for n in hidden:
            z = L.Dense(n, activation="relu")(z)
        z = L.Dense(out, activation="sigmoid" if work == "autoencoder" else None)(z)
    elif work == "cnn":
        for n in (32, 64):
            z = L.MaxPooling2D()(L.ReLU()(norm(L.Conv2D(n, 3, padding="same")(z))))
        z = L.Dense(10)(L.Flatten()(z))
    elif work == "mobile":
        z = L.ReLU()(norm(L.Conv2D(16, 3, 2, padding="same")(z)))
        for n, stride in BLOCKS:
            z = L.ReLU()(norm(L.Conv2D(n, 1)(z)))
            z = L.ReLU()(norm(L.DepthwiseConv2D(3, stride, padding="same")(z)))
            z = norm(L.Conv2D(n, 1)(z))
        z = L.Dense(10)(L.GlobalAveragePooling2D()(z))
    elif work == "lm":
        z = L.Embedding(VOCABULARY, 128)(z)
        for _ in range(4):
            n = L.LayerNormalization()(z)
            z = L.Add()([z, L.MultiHeadAttention(4, 32)(n, n, use_causal_mask=True)])
            z = L.Add()([z, L.Dense(128)(L.Dense(512, activation="gelu")(L.LayerNormalization()(z)))])
        z = L.Dense(VOCABULARY)(L.LayerNormalization()(z))
    else:
        z = L.Dense(10)((L.LSTM if work == "lstm" else L.GRU)(128)(z))
    return keras.Model(inputs, z)


def epoch(work: str):
    x, y, size = data(work)
    model = network(work)
    loss = "mse" if work == "autoencoder" else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return lambda: model.fit(x, y, batch_size=size, epochs=1, verbose=0)
