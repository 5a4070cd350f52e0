"""Gradients and training steps of a Keras model on TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from compose.keras.modes import mode, predicted


def outputs(model: Any, inputs: tuple) -> list[np.ndarray]:
    """The outputs for arguments of the model's call, in inference."""
    try:
        return predicted(model, inputs)
    except Exception:  # Keras's sum fails when it is compiled, where it takes its second operand for a bias
        return [o.numpy() for o in keras.tree.flatten(model(*inputs, **mode(model, False)))]


def gradients(model: Any, inputs: list[np.ndarray], packed: Any, cotangents: Any) -> tuple[list, list, list]:
    """Outputs, and the gradients of inputs and trainable variables under the cotangents."""
    xs = [tf.constant(x) for x in inputs]
    floats = [x for x in xs if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        for x in floats:
            tape.watch(x)
        outputs = keras.tree.flatten(model(*packed(xs), **mode(model, False)))
        given = cotangents([o.numpy() for o in outputs])
        total = tf.add_n([tf.reduce_sum(o * c) for o, c in zip(outputs, given)])
    wanted = [*floats, *(v.value for v in model.trainable_variables)]
    found = tape.gradient(total, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    grads = [tf.convert_to_tensor(g).numpy() for g in found]
    return [o.numpy() for o in outputs], grads[: len(floats)], grads[len(floats) :]


def train(model: Any, inputs: tuple, targets: Any, optimizer: Any, counts: list[int]) -> Iterator[None]:
    """Train on `mse`, in training mode; pause after each of these numbers of steps, the model's variables updated."""
    xs: Any = keras.tree.map_structure(tf.constant, inputs)
    aims = targets([o.numpy() for o in keras.tree.flatten(model(*xs, **mode(model, False)))])
    for n in range(1, counts[-1] + 1):
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(*xs, **mode(model, True)))
            loss = tf.add_n([tf.reduce_mean((o - a) ** 2) for o, a in zip(outputs, aims)])
        grads = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply(grads, model.trainable_variables)
        if n in counts:
            yield
