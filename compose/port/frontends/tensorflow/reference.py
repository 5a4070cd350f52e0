"""What TensorFlow computes as the proof needs it: in float64, on given weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from compose.port.frontends.tensorflow.capture import Variable
from compose.port.frontends.tensorflow.float64.graph import Exact
from compose.port.frontends.tensorflow.reference_optimizers import by_keras, fresh
from compose.port.ir.reference import Arrays, Gradients
from compose.port.proof.reference import cotangents


class TensorFlowModel:
    """See `compose.port.ir.reference.Reference`."""

    def __init__(
        self, exact: Exact, examples: list[np.ndarray], variables: dict[str, Variable], training: Exact | None = None,
        of_inputs: Callable[[list[np.ndarray]], Exact] | None = None,
    ):  # fmt: skip
        self.exact, self.examples, self.tf_variables, self._of_inputs = exact, examples, variables, of_inputs
        self.training, self.has_modes = training or exact, training is not None
        self.trained = [name for name, v in variables.items() if v.trained]

    def inputs(self) -> list[np.ndarray]:
        return [x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x for x in self.examples]

    def outputs(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        exact = self._for(inputs)
        with tf.compat.v1.Session(graph=exact.imported()) as session:
            return session.run(list(exact.outputs), self._feeds(arrays, inputs, exact))

    def _for(self, inputs: list[np.ndarray]) -> Exact:
        """The graph for inputs of these sizes: one of the examples has theirs written down."""
        if self._of_inputs is None or [x.shape for x in inputs] == [x.shape for x in self.examples]:
            return self.exact
        return self._of_inputs(inputs)

    def gradients(self, arrays: Arrays, inputs: list[np.ndarray], seed: int) -> Gradients:
        graph, feeds = self.exact.imported(), self._feeds(arrays, inputs)
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            outputs = session.run(list(self.exact.outputs), feeds)
            ends = [graph.get_tensor_by_name(name) for name in self.exact.outputs]
            floats = [x for x in (graph.get_tensor_by_name(f"{n}:0") for n in self.exact.inputs) if x.dtype.is_floating]
            nodes = {name: node for node, name in self.exact.weights.items()}
            weights = [graph.get_tensor_by_name(f"{nodes[name]}:0") for name in self.trained]
            grads = session.run(_gradients(ends, [*floats, *weights], cotangents(outputs, seed)), feeds)
        return Gradients(outputs, grads[: len(floats)], dict(zip(self.trained, grads[len(floats) :])))

    def train(
        self, arrays: Arrays, inputs: list[np.ndarray], seed: int, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        aims = cotangents(self.outputs(arrays, inputs), seed)
        if not isinstance(optimizer, tf.compat.v1.train.Optimizer):
            return self._train_by_keras(arrays, inputs, aims, optimizer, counts)
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
            variables = {name: tf.compat.v1.Variable(arrays[name], use_resource=True) for name in self.trained}
            fixed = {
                name: tf.compat.v1.placeholder(tf.float64, arrays[name].shape)
                for name in arrays
                if name not in variables
            }
            values = fixed | {name: tf.identity(v) for name, v in variables.items()}
            loss, news = self._loss(values, inputs, aims)
            grads = _gradients([loss], [values[name] for name in self.trained])
            step = fresh(optimizer).apply_gradients(zip(grads, variables.values()))
            session.run(tf.compat.v1.global_variables_initializer())
            now, after = {name: arrays[name] for name in fixed}, []
            for n in range(1, counts[-1] + 1):
                now |= session.run([news, step], {fixed[name]: array for name, array in now.items()})[0]
                if n in counts:
                    after.append({**now, **session.run(variables)})
            return after

    def _train_by_keras(
        self, arrays: Arrays, inputs: list, aims: list, optimizer: Any, counts: list[int]
    ) -> list[Arrays]:
        apply, variables = by_keras(optimizer, {name: arrays[name] for name in self.trained})
        with tf.Graph().as_default() as graph:
            values = {name: tf.compat.v1.placeholder(tf.float64, array.shape) for name, array in arrays.items()}
            loss, news = self._loss(values, inputs, aims)
            grads = _gradients([loss], [values[name] for name in self.trained])
        now, snapshots = dict(arrays), []
        session = tf.compat.v1.Session(graph=graph)
        for n in range(1, counts[-1] + 1):
            slopes, after = session.run([grads, news], {values[name]: array for name, array in now.items()})
            apply(slopes)
            now |= {name: np.asarray(v).copy() for name, v in variables.items()} | after
            if n in counts:
                snapshots.append(dict(now))
        session.close()
        return snapshots

    def intermediates(self, arrays: Arrays, inputs: list[np.ndarray]) -> list[np.ndarray]:
        graph = self.exact.imported()
        tensors = [t for op in graph.get_operations() for t in op.outputs if t.dtype.is_floating]
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(tensors, self._feeds(arrays, inputs))

    def default_optimizer(self) -> Any:
        return tf.compat.v1.train.MomentumOptimizer(0.01, 0.9)

    def _feeds(self, arrays: dict[str, Any], inputs: list[Any], exact: Exact | None = None) -> dict[str, Any]:
        exact = exact or self.exact
        feeds = {f"{node}:0": x for node, x in zip(exact.inputs, inputs)}
        return feeds | {f"{node}:0": arrays[name] for node, name in exact.weights.items()}

    def _loss(self, weights: dict[str, Any], inputs: list[np.ndarray], aims: list[np.ndarray]) -> tuple[Any, dict]:
        """`mse` of the outputs to the targets, and the new values of what training assigns, in the default graph."""
        given = self._feeds(weights, [tf.constant(x) for x in inputs], self.training)
        ends = [*self.training.outputs, *self.training.updates.values()]
        made = tf.graph_util.import_graph_def(self.training.graph, given, ends, name="source")
        loss = tf.add_n([tf.reduce_mean((tf.cast(o, tf.float64) - a) ** 2) for o, a in zip(made, aims)])
        return loss, dict(zip(self.training.updates, made[len(self.training.outputs) :]))


def _gradients(ends: list, of: list, cotangents: list[np.ndarray] | None = None) -> list:
    """Dense, also those of the rows of a table: a step of JAX moves all of it."""
    made = tf.gradients(ends, of, cotangents, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(g) for g in made]
