"""A small training for the tests of callbacks."""

from __future__ import annotations

import numpy as np

from compose import compose_seq, fc, relu
from compose.train import fit

NET = compose_seq(fc(8, relu), fc(3))
X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


def train(**options):
    defaults = dict(loss="cross_entropy", batch_size=6, epochs=3, verbose=False)  # 4 steps an epoch
    return fit(NET, X, Y, **{**defaults, **options})


def timeless(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]
