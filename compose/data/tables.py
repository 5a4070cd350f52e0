"""The small data sets that ship with scikit-learn."""

from __future__ import annotations

import numpy as np

from compose.data.dataset import Dataset

__all__ = ["digits", "iris"]


def iris() -> Dataset:
    """150 flowers of 3 species, each with 4 lengths in centimetres (Fisher, 1936).

    >>> iris()
    Dataset(x=(150, 4) float32, y=(150,) int32, 3 classes)
    """
    from sklearn.datasets import load_iris

    return _dataset(load_iris(), 1.0)


def digits() -> Dataset:
    """1797 handwritten digits of 8 by 8 pixels with one channel, in 0..1 (Alpaydin & Kaynak, 1998).

    >>> digits()
    Dataset(x=(1797, 8, 8, 1) float32, y=(1797,) int32, 10 classes)
    """
    from sklearn.datasets import load_digits

    return _dataset(load_digits(), 16.0)


def _dataset(bunch, largest: float) -> Dataset:
    x = np.asarray(bunch.images[..., None] if "images" in bunch else bunch.data, np.float32) / np.float32(largest)
    return Dataset(x, np.asarray(bunch.target, np.int32), tuple(map(str, bunch.target_names)))
