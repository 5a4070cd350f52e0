"""Images: a convolutional classifier of digits with all that a good training takes, and one ported and tuned."""

from __future__ import annotations

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import compose
from compose import (
    batch_norm,
    callbacks,
    compose_seq,
    conv,
    data,
    dropout,
    fc,
    flatten,
    max_pool,
    named,
    port,
    random_translation,
    relu,
    schedules,
    softmax,
)


def digits_data():
    """MNIST CNN: dropout, batch norm, augmentation, early stopping, warm-up, L2, history plotted, TensorBoard"""
    train, test = data.mnist(download=False)
    return train.x[:1000], train.y[:1000], test.x[:500], test.y[:500]


def digits_ours(x, y, x_test, y_test):
    block = lambda n: compose_seq(conv(n, 3), batch_norm(0.9), relu, max_pool)
    net = compose_seq(random_translation(0.1), block(16), block(32), flatten, dropout(0.3), fc(10, softmax))
    trained = net.fit(
        x,
        y,
        loss="cross_entropy",
        metrics="accuracy",
        validation=0.1,
        learning_rate=schedules.cosine(3e-3, warmup=0.1),
        l2=1e-4,
        epochs=6,
        callbacks=[callbacks.early_stopping(patience=3), callbacks.tensorboard("runs/ours")],
        verbose=False,
    )
    trained.plot("ours.png")
    return trained.evaluate(x_test, y_test)["accuracy"] > 0.6


def digits_keras(x, y, x_test, y_test):
    l2, epochs = keras.regularizers.L2(1e-4), 6
    model = keras.Sequential([layers.RandomTranslation(0.1, 0.1)])
    for n in (16, 32):
        model.add(layers.Conv2D(n, 3, padding="same", kernel_regularizer=l2))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, "softmax", kernel_regularizer=l2))
    steps = epochs * -(-len(x) * 9 // 320)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=3e-3, warmup_steps=steps // 10)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stopping = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    board = keras.callbacks.TensorBoard("runs/keras")
    history = model.fit(x, y, epochs=epochs, validation_split=0.1, callbacks=[stopping, board], verbose=0).history
    figure, axes = plt.subplots(1, 2)
    for axis, name in zip(axes, ("loss", "accuracy")):
        axis.plot(history[name], label="training")
        axis.plot(history[f"val_{name}"], label="validation")
        axis.set(xlabel="epoch", ylabel=name)
        axis.legend()
    figure.savefig("keras.png")
    return model.evaluate(x_test, y_test, verbose=0)[1] > 0.6


def transfer_data():
    """a pretrained network with a new head: body frozen, then two rates; saved, loaded, used"""
    rng, y = np.random.default_rng(0), np.arange(64) % 2
    x = rng.normal(size=(64, 32, 32, 3)) * 0.1 + y[:, None, None, None]
    model = keras.applications.MobileNet((32, 32, 3), alpha=0.25, include_top=False, weights=None, pooling="avg")
    return model, x.astype(np.float32), y


def transfer_ours(model, x, y):
    ported = port.from_keras(model)
    net = compose_seq(named("body", ported.net), fc(2, softmax, name="head"))
    fresh, _ = net.init(0, x)
    start = {"body": ported.params, "head": fresh["head"]}, {"body": ported.state}
    head = net.fit(x, y, start=start, freeze="body/**", loss="cross_entropy", learning_rate=1e-2, verbose=False)
    tuned = head.fit(x, y, freeze=(), learning_rate={"head/**": 1e-3, "**": 1e-4})
    tuned.save("tuned.safetensors")
    return compose.load("tuned.safetensors").predict(x).shape == (64, 2)


class TwoRates(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * (1.0 if "head" in variable.path else 0.1))


def transfer_keras(model, x, y):
    model.trainable = False
    net = keras.Sequential([model, layers.Dense(2, "softmax", name="head")])
    net.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    net.fit(x, y, verbose=0)
    model.trainable = True
    net.compile(TwoRates(1e-3), "sparse_categorical_crossentropy")
    net.fit(x, y, verbose=0)
    net.save("tuned.keras")
    return keras.models.load_model("tuned.keras", {"TwoRates": TwoRates}).predict(x, verbose=0).shape == (64, 2)
