"""Tables: regression in the target's unit, scores of a classifier, one-hot targets, cross-validation."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from keras.metrics import AUC, Precision, Recall, RootMeanSquaredError
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedKFold, train_test_split

from compose import compose_seq, cross_validate, data, fc, relu, sigmoid, softmax, standardize


def diabetes_data():
    """diabetes: normalised inputs, RMSE in the unit of the target"""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    return train_test_split(x.astype(np.float32), y.astype(np.float32)[:, None], random_state=0)


def diabetes_ours(x, x_test, y, y_test):
    net = compose_seq(standardize.fit(x), fc(16, relu), fc(1), standardize.fit(y).inverse)
    trained = net.fit(x, y, loss="mse", metrics="rmse", learning_rate=0.01, epochs=100, verbose=False)
    return trained.evaluate(x_test, y_test)["rmse"] < 70


def diabetes_keras(x, x_test, y, y_test):
    normalise = layers.Normalization()
    normalise.adapt(x)
    mean, spread = y.mean(), y.std()
    model = keras.Sequential([normalise, layers.Dense(16, "relu"), layers.Dense(1), layers.Rescaling(spread, mean)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=[RootMeanSquaredError(name="rmse")])
    model.fit(x, y, epochs=100, verbose=0)
    return model.evaluate(x_test, y_test, verbose=0, return_dict=True)["rmse"] < 70


def cancer_data():
    """breast cancer: accuracy, precision, recall, AUC, confusion matrix"""
    x, y = load_breast_cancer(return_X_y=True)
    return train_test_split(x.astype(np.float32), y.astype(np.float32)[:, None], random_state=0)


def cancer_ours(x, x_test, y, y_test):
    net = compose_seq(standardize.fit(x), fc(1, sigmoid))
    trained = net.fit(x, y, loss="binary_cross_entropy", learning_rate=0.01, epochs=30, verbose=False)
    scores = trained.evaluate(x_test, y_test, metrics=["accuracy", "precision", "recall", "auc", "confusion"])
    print(scores["confusion"])
    return min(scores[name] for name in ("accuracy", "precision", "recall", "auc")) > 0.9


def cancer_keras(x, x_test, y, y_test):
    normalise = layers.Normalization()
    normalise.adapt(x)
    model = keras.Sequential([normalise, layers.Dense(1, "sigmoid")])
    metrics = ["accuracy", Precision(name="precision"), Recall(name="recall"), AUC(name="auc")]
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=metrics)
    model.fit(x, y, epochs=30, verbose=0)
    scores = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    print(confusion_matrix(y_test, model.predict(x_test, verbose=0) > 0.5))
    return min(scores[name] for name in ("accuracy", "precision", "recall", "auc")) > 0.9


def iris_data():
    """iris: one-hot targets"""
    x, y = load_iris(return_X_y=True)
    return train_test_split(x.astype(np.float32), y, stratify=y, random_state=0)


def iris_ours(x, x_test, y, y_test):
    net = compose_seq(fc(16, relu), fc(3, softmax))
    options = dict(loss="cross_entropy", metrics="accuracy", learning_rate=0.01, verbose=False)
    trained = net.fit(x, data.one_hot(y, 3), epochs=60, **options)
    return trained.evaluate(x_test, data.one_hot(y_test, 3))["accuracy"] > 0.9


def iris_keras(x, x_test, y, y_test):
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, keras.utils.to_categorical(y, 3), epochs=60, verbose=0)
    return model.evaluate(x_test, keras.utils.to_categorical(y_test, 3), verbose=0)[1] > 0.9


def folds_data():
    """5-fold cross-validation: mean and spread"""
    x, y = load_iris(return_X_y=True)
    return x.astype(np.float32), y


def folds_ours(x, y):
    net = compose_seq(fc(16, relu), fc(3, softmax))
    options = dict(loss="cross_entropy", metrics="accuracy", learning_rate=0.01, epochs=60, verbose=False)
    found = cross_validate(net, x, y, **options)
    print(f"{found.mean['accuracy']:.3f} ± {found.spread['accuracy']:.3f}")
    return found.mean["accuracy"] > 0.9


def folds_keras(x, y):
    scores = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(3, "softmax")])
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x[train], y[train], epochs=60, verbose=0)
        scores.append(model.evaluate(x[test], y[test], verbose=0)[1])
    print(f"{np.mean(scores):.3f} ± {np.std(scores):.3f}")
    return np.mean(scores) > 0.9
