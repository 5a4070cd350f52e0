"""Options of a training, each by one argument, and several outputs with losses and metrics of their own."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from sklearn.metrics import classification_report

from compose import branch, compose_seq, data, fc, relu, softmax


def options_data():
    """accumulation, clipping, averaged parameters, bfloat16, all devices"""
    digits = data.digits()
    return digits.flat[:1792], digits.y[:1792]


def options_ours(x, y):
    net = compose_seq(fc(32, relu), fc(10, softmax))
    options = dict(accumulate=2, clip=1.0, ema=0.9, precision="bfloat16", devices="all", verbose=False)
    trained = net.fit(x, y, loss="cross_entropy", metrics="accuracy", epochs=5, **options)
    return trained.evaluate(x, y)["accuracy"] > 0.7


def options_keras(x, y):
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10, "softmax", dtype="float32")])
    options = dict(gradient_accumulation_steps=2, global_clipnorm=1.0, use_ema=True, ema_momentum=0.9)
    model.compile(keras.optimizers.Adam(**options), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=5, verbose=0)
    return model.evaluate(x, y, verbose=0)[1] > 0.7


def outputs_data():
    """two outputs with two losses and metrics"""
    digits = data.digits()
    return digits.flat, digits.y, digits.flat.mean(1, keepdims=True)


def outputs_ours(x, digit, ink):
    net = compose_seq(fc(32, relu), branch(fc(10, softmax, name="digit"), fc(1, name="ink")))
    trained = net.fit(
        x,
        {"digit": digit, "ink": ink},
        loss={"digit": "cross_entropy", "ink": "mse"},
        loss_weights={"ink": 10.0},
        metrics={"digit": "accuracy", "ink": "mae"},
        epochs=3,
        verbose=False,
    )
    return trained.evaluate(x, {"digit": digit, "ink": ink})["digit_accuracy"] > 0.5


def outputs_keras(x, digit, ink):
    inputs = keras.Input((64,))
    hidden = layers.Dense(32, "relu")(inputs)
    outputs = {"digit": layers.Dense(10, "softmax")(hidden), "ink": layers.Dense(1)(hidden)}
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam",
        loss={"digit": "sparse_categorical_crossentropy", "ink": "mse"},
        loss_weights={"digit": 1.0, "ink": 10.0},
        metrics={"digit": ["accuracy"], "ink": ["mae"]},
    )
    model.fit(x, {"digit": digit, "ink": ink}, epochs=3, verbose=0)
    return model.evaluate(x, {"digit": digit, "ink": ink}, verbose=0, return_dict=True)["digit_accuracy"] > 0.5


def predictions_data():
    """batched prediction with progress; scikit-learn's report on it"""
    digits = data.digits()
    return digits.flat, digits.y


def predictions_ours(x, y):
    trained = compose_seq(fc(32, relu), fc(10, softmax)).fit(x, y, loss="cross_entropy", epochs=5, verbose=False)
    found = trained.predict(x, batch_size=256, verbose=True).argmax(-1)
    print(classification_report(y, found))
    return np.mean(found == y) > 0.7


def predictions_keras(x, y):
    model = keras.Sequential([layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=5, verbose=0)
    found = model.predict(x, batch_size=256).argmax(-1)
    print(classification_report(y, found))
    return np.mean(found == y) > 0.7
