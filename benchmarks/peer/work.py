"""The data of each piece of work: inputs, targets and the batch size. Images have their channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

WORK = ("mlp", "autoencoder", "cnn", "mobile", "lstm", "gru", "lm")
NAMES = {
    "mlp": "MLP 784-250-100-10, 6,000 images",
    "autoencoder": "autoencoder 784-250-50-250-784, 6,000 images",
    "cnn": "CNN 32-64 with batch norm, 2,000 images of 28²",
    "mobile": "depthwise blocks, 400 images of 32²",
    "lstm": "LSTM 128, 28 steps, 2,000 sequences",
    "gru": "GRU 128, 28 steps, 2,000 sequences",
    "lm": "language model, 4 blocks of 128, 128 steps",
}
VOCABULARY = 100
BLOCKS = ((32, 1), (64, 2), (96, 1), (96, 2))  # channels and stride of the depthwise blocks


def data(work: str) -> tuple[Any, Any, int]:
    rng = np.random.default_rng(0)
    labels = lambda n: rng.integers(0, 10, n).astype(np.int32)
    if work == "mlp":
        return rng.random((6000, 784), np.float32), labels(6000), 100
    if work == "autoencoder":
        x = rng.random((6000, 784), np.float32)
        return x, x, 100
    if work == "cnn":
        return rng.random((2000, 28, 28, 1), np.float32), labels(2000), 100
    if work == "mobile":
        return rng.random((400, 32, 32, 3), np.float32), labels(400), 50
    if work == "lm":
        ids = rng.integers(0, VOCABULARY, (128, 129)).astype(np.int32)
        return ids[:, :-1], ids[:, 1:], 16
    return rng.random((2000, 28, 28), np.float32), labels(2000), 100


def batches(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(count).reshape(-1, size)
