"""What TensorFlow computes as the proof needs it: in float64, on given weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.port.original import Arrays, Gradients, cotangents
from compose.port.tensorflow.exact import Exact

_ZERO = tf.UnconnectedGradients.ZERO


class TensorFlowModel:
    """See `compose.port.original.Original`."""

    has_modes = False

    def __init__(self, exact: Exact, examples: list[np.ndarray], trained: list[str]):
        self.exact, self.examples, self.trained = exact, examples, trained
        self.function = tf.function(self._function)

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        return [o.numpy() for o in self.function(_tensors(arrays), [tf.constant(x) for x in inputs])]

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients:
        weights = _tensors(arrays)
        xs = [tf.constant(x) for x in inputs]
        floats = [x for x in xs if x.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch([*weights.values(), *floats])
            outputs = self.function(weights, xs)
            given = cotangents([o.numpy() for o in outputs], seed)
            total = tf.add_n([tf.reduce_sum(o * c) for o, c in zip(outputs, given)])
        wanted = [*floats, *(weights[name] for name in self.trained)]
        grads = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(total, wanted, unconnected_gradients=_ZERO)]
        outer = dict(zip(self.trained, grads[len(floats) :]))
        return Gradients([o.numpy() for o in outputs], grads[: len(floats)], outer)

    def train(self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, steps: int) -> Arrays:
        fixed = {name: tf.constant(array) for name, array in arrays.items() if name not in self.trained}
        xs = [tf.constant(x) for x in inputs]
        aims = None
        apply, variables = _stepper(optimizer, {name: arrays[name] for name in self.trained})
        for _ in range(steps):
            weights = {name: tf.constant(np.asarray(v)) for name, v in variables.items()}
            with tf.GradientTape() as tape:
                tape.watch(list(weights.values()))
                outputs = self.function({**weights, **fixed}, xs)
                aims = aims or cotangents([o.numpy() for o in outputs], seed)
                loss = tf.add_n([tf.reduce_mean((o - a) ** 2) for o, a in zip(outputs, aims)])
            grads = tape.gradient(loss, list(weights.values()), unconnected_gradients=_ZERO)
            apply([tf.convert_to_tensor(g).numpy() for g in grads])
        return {**arrays, **{name: np.asarray(v) for name, v in variables.items()}}

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        graph = self.exact.imported()
        feeds = dict(zip((f"{n}:0" for n in self.exact.inputs), inputs))
        feeds |= {f"{node}:0": arrays[name] for node, name in self.exact.weights.items()}
        tensors = [t for op in graph.get_operations() for t in op.outputs if t.dtype.is_floating]
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(tensors, feeds)

    def default_optimizer(self) -> Any:
        return tf.compat.v1.train.MomentumOptimizer(0.01, 0.9)

    def _function(self, weights: dict[str, Any], inputs: list) -> list:
        given = {f"{node}:0": x for node, x in zip(self.exact.inputs, inputs)}
        given |= {f"{node}:0": weights[name] for node, name in self.exact.weights.items()}
        return tf.graph_util.import_graph_def(
            self.exact.graph, input_map=given, return_elements=list(self.exact.outputs), name="source"
        )


def _tensors(arrays: Arrays) -> dict[str, Any]:
    return {name: tf.constant(array) for name, array in arrays.items()}


def _stepper(optimizer: Any, arrays: Arrays) -> tuple[Callable[[list], None], dict[str, Any]]:
    """A function that takes gradients and moves variables, and those variables."""
    if isinstance(optimizer, tf.compat.v1.train.Optimizer):
        own = _fresh(optimizer)
        variables = {name: tf.Variable(tf.constant(array)) for name, array in arrays.items()}
        return lambda grads: own.apply_gradients(zip(map(tf.constant, grads), variables.values())), variables
    import keras

    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise PortError(f"an optimizer of tf.compat.v1.train or of Keras, got {type(optimizer).__name__}")
    from compose.port.keras.original import again
    from compose.port.keras.wide import float64

    with float64():
        own = again(optimizer)
        variables = {name: keras.Variable(array, dtype="float64", name=name) for name, array in arrays.items()}

    def apply(grads: list) -> None:
        with float64():
            own.apply([keras.ops.convert_to_tensor(g) for g in grads], list(variables.values()))

    return apply, variables


def _fresh(optimizer: Any) -> Any:
    """The optimizer without its memory, its numbers in float64: TF1 rounds them to float32."""
    made = copy.copy(optimizer)
    for name, value in vars(optimizer).items():
        if isinstance(value, float) and name != "_initial_accumulator_value":
            setattr(made, name, tf.constant(value, tf.float64))
        elif isinstance(value, dict):
            setattr(made, name, {})
    return made
