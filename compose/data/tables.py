"""The small data sets that ship with scikit-learn."""

from __future__ import annotations

import numpy as np

from compose.data.dataset import Dataset
from compose.data.table import Table, table

__all__ = ["breast_cancer", "diabetes", "digits", "iris", "wine"]


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


def diabetes() -> Table:
    """442 patients with 10 measurements in their own units, and how far the disease is after a year (Efron, 2004).

    >>> diabetes()
    Table(442 examples, 10 of numbers, 0 of words; progression: float32)
    """
    from sklearn.datasets import load_diabetes

    return _table(load_diabetes(scaled=False), "progression")


def breast_cancer() -> Table:
    """569 tumours with 30 measurements of cells, benign or malignant (Wolberg, 1995).

    >>> breast_cancer()
    Table(569 examples, 30 of numbers, 0 of words; diagnosis: 2 classes)
    """
    from sklearn.datasets import load_breast_cancer

    return _table(load_breast_cancer(), "diagnosis")


def wine() -> Table:
    """178 wines of 3 cultivars with 13 chemical measurements (Forina, 1988).

    >>> wine()
    Table(178 examples, 13 of numbers, 0 of words; cultivar: 3 classes)
    """
    from sklearn.datasets import load_wine

    return _table(load_wine(), "cultivar")


def _table(bunch, target: str) -> Table:
    y = np.array(bunch.target_names)[bunch.target] if "target_names" in bunch else bunch.target
    return table({**dict(zip(bunch.feature_names, bunch.data.T)), target: y}, target)


def _dataset(bunch, largest: float) -> Dataset:
    x = np.asarray(bunch.images[..., None] if "images" in bunch else bunch.data, np.float32) / np.float32(largest)
    return Dataset(x, np.asarray(bunch.target, np.int32), tuple(map(str, bunch.target_names)))
