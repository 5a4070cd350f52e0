"""What Keras computes in float32 on TensorFlow, or has no kernel for in float64, by its formula in float64."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from keras.src.backend.tensorflow import core

from compose.core.errors import PortError
from compose.layers.resize import weights

_METHODS = {"bilinear": "linear", "bicubic": "cubic", "lanczos3": "lanczos3", "lanczos5": "lanczos5", "area": "area"}
_TABLE = 2e-3  # TensorFlow takes the coefficients of its bicubic from a table of 1024 places


@contextlib.contextmanager
def exact_numbers() -> Iterator[None]:
    """Numbers that are cast become float64 at once, and kernels of float32 alone are formulas."""
    kept = [
        *_held(_cast, core.cast, tf.cast),
        *_held(_converted, core.convert_to_tensor),
        *((tf.nn, name, fn) for name, fn in _NN.items()),
        (tf.image, "resize", _resize),
    ]
    before = [getattr(module, name) for module, name, _ in kept]
    for (module, name, fn), old in zip(kept, before):
        setattr(module, name, fn(old))
    try:
        yield
    finally:
        for (module, name, _), old in zip(kept, before):
            setattr(module, name, old)


def _held(exact: Callable, *found: Any) -> list[tuple[Any, str, Callable]]:
    """Every module that holds one of these functions, which is to be replaced by an exact one."""
    name = found[0].__name__
    return [(m, name, exact) for m in list(sys.modules.values()) if any(vars(m).get(name) is f for f in found)]


def _cast(cast: Callable) -> Callable:
    """By themselves numbers and lists of them become float32 first."""

    def exact(x, dtype, **name):
        given = isinstance(x, (int, float, list, tuple)) and not any(map(tf.is_tensor, tf.nest.flatten(x)))
        return tf.constant(np.asarray(x).astype(tf.as_dtype(dtype).as_numpy_dtype)) if given else cast(x, dtype, **name)

    return exact


def _converted(convert: Callable) -> Callable:
    """By itself a number becomes float32."""

    def exact(x, dtype=None, **options):
        return convert(x, "float64" if dtype is None and isinstance(x, float) else dtype, **options)

    return exact


def _leaky_relu(before: Callable) -> Callable:
    """TensorFlow's keeps its slope in float32."""

    def exact(features, alpha=0.2, name=None):
        x = tf.convert_to_tensor(features)
        if x.dtype != tf.float64 or tf.is_tensor(alpha):
            return before(features, alpha, name)
        return tf.where(x > 0, x, x * tf.constant(alpha, tf.float64))

    return exact


def _pool(before: Callable) -> Callable:
    """Volumes are pooled as images, then along their depth: the average of averages is that of all."""

    def exact(input, ksize, strides, padding, data_format=None, name=None):
        if len(input.shape) != 5 or input.dtype != tf.float64:
            return before(input, ksize, strides, padding, data_format, name)
        size, step = ((n,) * 3 if isinstance(n, int) else tuple(n) for n in (ksize, strides))
        _, depth, height, width, channels = input.shape
        y = before(tf.reshape(input, (-1, height, width, channels)), size[1:], step[1:], padding)
        plane = tuple(y.shape[1:3])
        y = before(tf.reshape(y, (-1, depth, plane[0] * plane[1], channels)), (size[0], 1), (step[0], 1), padding)
        return tf.reshape(y, (-1, y.shape[1], *plane, channels))

    return exact


_NN = {"leaky_relu": _leaky_relu, "max_pool": _pool, "avg_pool": _pool}


def _resize(before: Callable) -> Callable:
    """A matrix for each axis of space, held against TensorFlow's own resizing."""

    def exact(images, size, method="bilinear", antialias=False, **options):
        if images.dtype != tf.float64 or method not in _METHODS:
            return before(images, size, method=method, antialias=antialias, **options)
        sizes = list(zip(images.shape[-3:-1], map(int, size)))
        rows, columns = (weights(n, m, n / m, _METHODS[method], antialias, "half_pixel") for n, m in sizes)
        with tf.init_scope():
            x = np.random.default_rng(0).normal(size=(*(n for n, _ in sizes), 1))
            theirs = before(tf.constant(x, tf.float32), size, method=method, antialias=antialias).numpy()
        error = np.max(np.abs(theirs - np.einsum("hwc,ih,jw->ijc", x, rows, columns)))
        if not error < (_TABLE if method == "bicubic" and not antialias else 1e-5):
            raise PortError(f"resizing by {method} as TensorFlow does it, got an error of {error:.1e}")
        y = tf.einsum("...hwc,ih->...iwc", images, rows)
        return tf.einsum("...iwc,jw->...ijc", y, columns)

    return exact
