"""A look into a network: its table, outputs and gradients by layer, parameters by path, a drawing."""

from __future__ import annotations

import jax
import keras
import numpy as np
import optax
from keras import layers

from compose import batch_norm, compose_seq, conv, fc, flatten, relu


def summary_data():
    """summary, parameters by path, drawing"""
    return ((28, 28, 1),)


def summary_ours(shape):
    net = compose_seq(conv(8, 3), batch_norm, relu, flatten, fc(10))
    print(net.summary(shape))
    params, _ = net.init(0, shape)
    net.diagram(shape).save("ours.svg")
    return params["conv_0"]["kernel"].shape == (3, 3, 1, 8)


def summary_keras(shape):
    model = keras.Sequential([keras.Input(shape)])
    model.add(layers.Conv2D(8, 3, padding="same", name="conv"))
    model.add(layers.BatchNormalization())
    model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    model.summary()
    params = {variable.path: variable for variable in model.variables}
    keras.utils.plot_model(model, "keras.svg", show_shapes=True)
    return params["sequential/conv/kernel"].shape == (3, 3, 1, 8)


def inside_data():
    """outputs and gradients by layer"""
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 8, 8, 1)).astype(np.float32), np.arange(16) % 10


def inside_ours(x, y):
    net = compose_seq(conv(8, 3, relu), flatten, fc(10))
    params, state = net.init(0, x)
    outputs = net.intermediates(params, state, x)

    def loss(params):
        return optax.softmax_cross_entropy_with_integer_labels(net.apply(params, state, x)[0], y).mean()

    gradients = jax.grad(loss)(params)
    norms = {name: float(optax.global_norm(gradient)) for name, gradient in gradients.items()}
    return outputs["conv_0"].shape == (16, 8, 8, 8) and len(norms) == 2


def inside_keras(x, y):
    convolution = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")
    model = keras.Sequential([keras.Input((8, 8, 1)), convolution, layers.Flatten(), layers.Dense(10, name="dense")])
    inner = keras.Model(model.inputs[0], {layer.name: layer.output for layer in model.layers})
    outputs = inner(x)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(trainable):
        return entropy(y, model.stateless_call(trainable, model.non_trainable_variables, x)[0])

    gradients = jax.grad(loss)([variable.value for variable in model.trainable_variables])
    paths = [variable.path for variable in model.trainable_variables]
    norms = {path: float(optax.global_norm(gradient)) for path, gradient in zip(paths, gradients)}
    return outputs["conv"].shape == (16, 8, 8, 8) and len(norms) == 4
