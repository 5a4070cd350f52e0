"""Data that come in batches or from a file, and a training that goes on after it was killed."""

from __future__ import annotations

import keras
import numpy as np
import torch
from keras import layers

from compose import callbacks, checkpoint, compose_seq, data, fc, relu, softmax


def generator_data():
    """batches of a generator"""
    digits = data.digits()
    return digits.flat, digits.y


def generator_ours(x, y):
    def batches():
        rng = np.random.default_rng(0)
        while True:
            rows = rng.integers(0, len(x), 32)
            yield x[rows], y[rows]

    net = compose_seq(fc(32, relu), fc(10, softmax))
    trained = net.fit(batches, loss="cross_entropy", metrics="accuracy", steps_per_epoch=100, epochs=2, verbose=False)
    return trained.evaluate(x, y)["accuracy"] > 0.5


def generator_keras(x, y):
    def batches():
        rng = np.random.default_rng(0)
        while True:
            rows = rng.integers(0, len(x), 32)
            yield x[rows], y[rows]

    model = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(batches(), steps_per_epoch=100, epochs=2, verbose=0)
    return model.evaluate(x, y, verbose=0)[1] > 0.5


def loader_data():
    """a torch DataLoader"""
    digits = data.digits()
    rows = torch.utils.data.TensorDataset(torch.from_numpy(digits.flat), torch.from_numpy(digits.y))
    return (torch.utils.data.DataLoader(rows, batch_size=32, shuffle=True),)


def loader_ours(loader):
    net = compose_seq(fc(32, relu), fc(10, softmax))
    trained = net.fit(loader, loss="cross_entropy", metrics="accuracy", epochs=3, verbose=False)
    return trained.evaluate(loader)["accuracy"] > 0.5


def loader_keras(loader):
    model = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(loader, epochs=3, verbose=0)
    return model.evaluate(loader, verbose=0)[1] > 0.5


def file_data():
    """a memory-mapped file"""
    digits = data.digits()
    np.save("x.npy", digits.flat)
    return "x.npy", digits.y


def file_ours(path, y):
    x = np.load(path, mmap_mode="r")
    net = compose_seq(fc(32, relu), fc(10, softmax))
    trained = net.fit(x, y, loss="cross_entropy", metrics="accuracy", memory=100_000, epochs=3, verbose=False)
    return trained.evaluate(x, y)["accuracy"] > 0.5


def file_keras(path, y):
    x = np.load(path, mmap_mode="r")
    model = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=3, verbose=0)
    return model.evaluate(x, y, verbose=0)[1] > 0.5


def resumed_data():
    """a training that is resumed where it was cut, and its log"""
    digits = data.digits()
    return digits.flat, digits.y


def resumed_ours(x, y):
    net = compose_seq(fc(32, relu), fc(10, softmax))
    options = dict(checkpoint=checkpoint("ours", steps=20), callbacks=callbacks.csv_log("ours.csv"), verbose=False)
    return len(net.fit(x, y, loss="cross_entropy", epochs=3, **options).history) == 3


def resumed_keras(x, y):
    model = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    backup = keras.callbacks.BackupAndRestore("keras", save_freq=20, delete_checkpoint=False)
    history = model.fit(x, y, epochs=3, callbacks=[backup, keras.callbacks.CSVLogger("keras.csv")], verbose=0)
    return len(history.epoch) == 3
