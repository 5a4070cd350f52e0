"""The model that is written: its text, names, weights, files, errors; on each backend."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from compose import (
    batch_norm,
    compose_seq,
    conv,
    dropout,
    embedding,
    encoder_block,
    fc,
    flatten,
    frozen,
    graph,
    gru,
    lstm,
    max_pool,
    ops,
    random_flip,
    relu,
    repeat,
    residual,
    share,
    softmax,
    spec,
    tanh,
)
from compose.export import ExportError, to_keras
from compose.train import Trained

keras = pytest.importorskip("keras")

IMAGES = compose_seq(conv(4, 3, relu), batch_norm(), max_pool(2), flatten, fc(5, name="head"))


def written(net, *shape: int, dtype=None, **options):
    example = spec(*shape, dtype=dtype)
    params, state = net.init(0, example)
    return to_keras(net, params, state, example, **options)


def body(made) -> str:
    """The text without its head."""
    return made.source.partition('"""\n\n')[2]


def test_a_functional_model():
    assert (
        body(written(IMAGES, 4, 4, 3, proof=False))
        == """\
import keras
from keras import layers


def network():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv_0")(inputs)
    x = layers.BatchNormalization(epsilon=1e-05, name="batch_norm_0")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(5, name="head")(x)
    return keras.Model(inputs, x)
"""
    )


def test_a_repeat_is_a_function_and_a_loop():
    net = repeat(2, graph(lambda x, y: (fc(4)(x) + y, fc(4, relu)(y))))
    params, state = net.init(0, 4, 4)
    made = to_keras(net, params, state, (spec(4), spec(4)), proof=False)
    assert (
        body(made).partition("layers\n\n\n")[2]
        == """\
def graph(x0, x1, name):
    x0 = layers.Dense(4, name=f"{name}_fc_0")(x0) + x1
    x1 = layers.Dense(4, activation="relu", name=f"{name}_fc_1")(x1)
    return (x0, x1)


def network():
    input_0 = keras.Input((4,))
    input_1 = keras.Input((4,))
    x, y = input_0, input_1
    for i in range(2):
        x, y = graph(x, y, f"repeat_{i}")
    return keras.Model([input_0, input_1], (x, y))
"""
    )
    assert {"repeat_0_fc_0/kernel", "repeat_1_fc_1/bias"} <= set(made.weights)


def test_a_shared_layer_is_called_several_times():
    net = share(compose_seq(fc(4, tanh), residual(fc(4))), lambda e: compose_seq(e, relu, e))
    made = written(net, 4, proof=False)
    assert body(made).count("layers.Dense(") == 2 and body(made).count("_layer(") == 4
    assert len(made.weights) == 4


def test_a_shared_table_is_one_layer():
    made = written(share(embedding(20, 8), lambda e: compose_seq(e, fc(8), e.attend)), 5, dtype=int, proof=False)
    assert [name for name, a in made.weights.items() if 20 in a.shape] == ["embedding_0/embeddings"]


@pytest.mark.slow
def test_layers_of_keras_are_used():
    net = compose_seq(embedding(20, 8), lstm(8), gru(8, output="sequence"), encoder_block(2, 16, dropout=0.1))
    source = written(net, 5, dtype=int).source
    for text in (
        "layers.Embedding(20, 8", "layers.LSTM(8, return_sequences=True", "layers.GRU(8",
        "layers.MultiHeadAttention(2, 4, dropout=0.1", "layers.Dropout(0.1)", "layers.LayerNormalization(",
        "def encoder_block(x, name):",
    ):  # fmt: skip
        assert text in source, source


def test_names_that_keras_gives_itself_are_left_to_it():
    made = written(compose_seq(fc(4, name="softmax"), ops.exp, fc(3, name="exp"), softmax), 4, proof=False)
    assert set(made.weights) == {f"{n}_layer/{k}" for n in ("softmax", "exp") for k in ("kernel", "bias")}


def test_frozen_layers_are_not_trainable_and_augmentation_is_a_note():
    made = written(compose_seq(random_flip(), flatten, frozen(fc(3))), 4, 4, 3, proof=False)
    assert not made.model().trainable_variables and len(made.model().weights) == 2
    assert "# random_flip() works in training alone; it is left out here." in made.source


def test_dropout_works_in_training_alone():
    model = written(dropout(0.5), 1000, proof=False).model()
    x = np.ones((1, 1000), "float32")
    assert np.all(model(x, training=False) == x)
    assert 400 < np.count_nonzero(model(x, training=True)) < 600


@pytest.mark.slow
def test_files_are_read(tmp_path: Path):
    params, state = IMAGES.init(0, (4, 4, 3))
    trained = Trained(IMAGES, params, state, (), spec(4, 4, 3))
    exported = trained.export(tmp_path / "net.py", "keras")
    assert exported.report.largest < 1e-12
    place = importlib.util.spec_from_file_location("net", tmp_path / "net.py")
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    model = module.network()
    model.load_weights(tmp_path / "net.weights.h5")
    weights = [np.array(v.value) for v in model.weights]
    assert all(np.array_equal(a, v.value) for a, v in zip(weights, exported.model().weights, strict=True))
    x = np.random.default_rng(0).normal(size=(6, 4, 4, 3)).astype(np.float32)
    assert np.abs(model(x, training=False) - trained.predict(x)).max() < 1e-5
    text = (tmp_path / "net.py").read_text()
    assert "net.weights.h5" in text and "Input x: (batch, 4, 4, 3), float32." in text and "import compose" not in text
    assert keras.config.floatx() == "float32"


def test_a_word_without_a_rule_names_the_path_and_the_expression():
    net = compose_seq(fc(3), compose_seq(relu, ops.betaln(b=2.0), name="inner"))
    with pytest.raises(ExportError) as caught:
        written(net, 4)
    assert str(caught.value).startswith("inner/betaln_0: expected a layer that Keras source can say")
    assert "ops.betaln" in str(caught.value)


def changed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    from compose.export.keras import registry

    registry.load()
    rule = registry.TABLE.rules[fc]
    other = lambda w, layer, p, s, x: w.call(rule(w, layer, p, s, x), text)
    monkeypatch.setitem(registry.TABLE.rules, fc, other)


def test_an_export_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch):
    changed(monkeypatch, "{} * 0.5")
    with pytest.raises(ExportError, match="what the network does"):
        written(fc(3), 4)


def test_wrong_gradients_are_refused(monkeypatch: pytest.MonkeyPatch):
    changed(monkeypatch, "ops.stop_gradient({})")
    with pytest.raises(ExportError, match=r"whose gradients are those of the network, got .* off in"):
        written(compose_seq(fc(3), fc(2)), 4)


MODEL = """
import keras
from compose import *
from compose.export import to_keras

net = compose_seq(
    conv(4, 3, relu, stride=2), batch_norm(), avg_pool(2), reshape(-1, 4), lstm(4), gru(4, reset_after=False),
    repeat(2, encoder_block(2, 8)), class_token(), multi_head_attention(2, rotary=rotary()), global_avg_pool,
    fc(3, gelu),
)
params, state = net.init(0, (9, 8, 3))
print(keras.backend.backend(), to_keras(net, params, state, spec(9, 8, 3)).report.largest < 1e-10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_other_backends(backend: str):
    pytest.importorskip(backend)
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", MODEL], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [backend, "True"]
