"""A function of JAX as a SavedModel: one signature, weights as variables, the program as it was compiled."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import tensorflow as tf
from jax import export
from tensorflow.compiler.tf2xla.python.xla import call_module

from compose.export.labels import labels
from compose.export.savedmodel.artifact import portable

SIGNATURE = "serving_default"  # what servers and converters look for


def write(
    folder: str | os.PathLike, function: Callable[..., list], weights: dict[str, Any], specs: list, platforms: tuple,
    rewrite: Callable[[Any], None] | None = None,
) -> None:  # fmt: skip
    """Write `function(weights, *leaves) -> leaves` into a folder.

    Args:
        weights: arrays by their paths; the function gets them as a list, in order.
        specs: shapes and dtypes of the leaves; sizes may be the symbols of `jax.export`.
        platforms: those that the program is compiled for.
        rewrite: see `artifact.portable`.
    """
    module: Any = tf.Module()
    variable: Any = tf.Variable
    module.weights = {path: variable(np.asarray(a), name=path, trainable=False) for path, a in weights.items()}
    shapes = [jax.ShapeDtypeStruct(np.shape(a), a.dtype) for a in weights.values()]
    program = export.export(jax.jit(function), platforms=platforms)(shapes, *specs)
    data = portable(program, rewrite)

    def call(*leaves: Any) -> dict[str, Any]:
        given = [*module.weights.values(), *leaves]
        made: Any = call_module(
            [given[i] for i in program.module_kept_var_idx], version=program.calling_convention_version, module=data,
            Tout=[a.dtype for a in program.out_avals], Sout=[_sizes(a) for a in program.out_avals],
            platforms=[platform.upper() for platform in platforms],
        )  # fmt: skip
        return {name: tf.identity(y, name) for name, y in zip(labels("y", len(made)), made)}

    signature = [tf.TensorSpec(_sizes(s), s.dtype, name) for name, s in zip(labels("x", len(specs)), specs)]
    module.run = tf.function(call, input_signature=signature, autograph=False)
    tf.saved_model.save(module, os.fspath(folder), signatures={SIGNATURE: module.run.get_concrete_function()})


def _sizes(array: Any) -> list[int | None]:
    return [d if isinstance(d, int) else None for d in array.shape]


class Loaded:
    """A SavedModel ready to run: `loaded(*arrays)` are its outputs, for the inputs in order."""

    name = "TensorFlow"

    def __init__(self, folder: str | os.PathLike):
        self.model: Any = tf.saved_model.load(os.fspath(folder))  # its variables live as long as it does
        self.run = self.model.signatures[SIGNATURE]

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        feeds = {name: tf.constant(array) for name, array in zip(labels("x", len(arrays)), arrays)}
        made = self.run(**feeds)
        return [made[name].numpy() for name in labels("y", len(made))]
