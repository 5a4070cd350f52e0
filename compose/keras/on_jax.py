"""Gradients and training steps of a Keras model on JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from compose.keras.modes import mode

MOST_MEMORY = 2**32  # bytes beside arguments and results


def compiled(fn: Callable, *args: Any) -> Callable:
    """The function, compiled for arguments like these, or as it is where that would need more than `MOST_MEMORY`.

    XLA on a CPU computes a depthwise convolution and its gradient as those of a dense kernel, and may hold the kernels
    of many layers at once: 27 GB for the gradient of EfficientNetB6 in float64. Operation by operation it holds one.
    """
    made = jax.jit(fn).lower(*args).compile()
    needed = made.memory_analysis()
    return fn if needed is not None and needed.temp_size_in_bytes > MOST_MEMORY else made


def outputs(model: Any, inputs: tuple) -> list[np.ndarray]:
    """The outputs for arguments of the model's call, in inference."""

    def run(trainable, fixed, given):
        made, _ = model.stateless_call(trainable, fixed, *given, **mode(model, False))
        return keras.tree.flatten(made)

    given: Any = *_values(model), keras.tree.map_structure(jnp.asarray, inputs)
    return [np.asarray(o) for o in compiled(run, *given)(*given)]


def gradients(model: Any, inputs: list[np.ndarray], packed: Any, cotangents: Any) -> tuple[list, list, list]:
    """Outputs, and the gradients of inputs and trainable variables under the cotangents."""
    trainable, fixed = _values(model)
    floats = [i for i, x in enumerate(inputs) if np.issubdtype(x.dtype, np.floating)]

    def forward(trainable, floating):
        given = list(inputs)
        for i, x in zip(floats, floating):
            given[i] = x
        outputs, _ = model.stateless_call(trainable, fixed, *packed(given), **mode(model, False))
        return keras.tree.flatten(outputs)

    def run(trainable, floating):
        outputs, pull = jax.vjp(forward, trainable, floating)
        return outputs, *pull([jnp.asarray(c) for c in cotangents(outputs)])

    given = trainable, [jnp.asarray(inputs[i]) for i in floats]
    made = compiled(run, *given)(*given)  # both ways at once: half the tracing
    outputs, weights, xs = jax.tree.map(np.asarray, made)
    return outputs, xs, weights


def train(model: Any, inputs: tuple, targets: Any, optimizer: Any, counts: list[int]) -> Iterator[None]:
    """Train on `mse`, in training mode; pause after each of these numbers of steps, the model's variables updated."""
    optimizer.build(model.trainable_variables)
    trainable, fixed = _values(model)
    memory = [v.value for v in optimizer.variables]
    call = lambda trainable, fixed: model.stateless_call(trainable, fixed, *inputs, **mode(model, False))[0]
    shapes = keras.tree.flatten(jax.eval_shape(call, trainable, fixed))  # a call would compile operation by operation
    aims = [jnp.asarray(t) for t in targets([np.zeros(o.shape) for o in shapes])]

    def loss(trainable, fixed):
        outputs, after = model.stateless_call(trainable, fixed, *inputs, **mode(model, True))
        return sum(jnp.mean((o - a) ** 2) for o, a in zip(keras.tree.flatten(outputs), aims)), after

    def one(trainable, fixed, memory):
        grads, fixed = jax.grad(loss, has_aux=True)(trainable, fixed)
        trainable, memory = optimizer.stateless_apply(memory, grads, trainable)
        return trainable, fixed, memory

    step = compiled(one, trainable, fixed, memory)
    for n in range(1, counts[-1] + 1):
        trainable, fixed, memory = step(trainable, fixed, memory)
        if n in counts:
            variables = [*model.trainable_variables, *model.non_trainable_variables]
            for variable, value in zip(variables, [*trainable, *fixed]):
                variable.assign(value)
            yield


def _values(model: Any) -> tuple[list, list]:
    return [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
