"""Graphs of TF1 in their sessions, and SavedModels, ported and proven to twenty equal training steps."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from compose import port
from compose.cli.port import port as port_command
from compose.core.errors import PortError
from tests.port.frontends.tensorflow.test_lower import AUTOENCODER, CNN, MLP, draw

tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1
pytestmark = pytest.mark.filterwarnings("default")


def session(resource: bool):
    """The autoencoder as TF1 wrote such, with a dropout that is fed, and its training around it."""
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(0)
        x, keep = v1.placeholder(tf.float32, [None, 784], "x"), v1.placeholder(tf.float32, [], "keep")
        h = x
        for i, (size, act) in enumerate([(250, tf.nn.relu), (50, tf.nn.relu), (250, tf.nn.relu), (784, tf.nn.sigmoid)]):
            with v1.variable_scope(f"layer{i}", use_resource=resource):
                w = v1.get_variable("w", [h.shape[1], size])
                b = v1.Variable(tf.zeros([size]), name="b", use_resource=resource)
                h = act(v1.nn.xw_plus_b(h, w, b) if i == 1 else tf.matmul(h, w) + b)
            h = v1.nn.dropout(h, rate=1 - keep) if i == 1 else h
        y = tf.identity(h, name="y")
        v1.train.AdamOptimizer(1e-3).minimize(tf.reduce_mean((y - x) ** 2))
        made = v1.Session(graph=graph)
        made.run(v1.global_variables_initializer())
    return made


@pytest.fixture(params=[True, False], ids=["resources", "references"])
def tf1(request):
    with session(request.param) as made:
        yield made


def test_a_session_of_tf1(tf1):
    x = draw(4, 784)
    ported = port.from_tf(tf1, {"x": x, "keep": 1.0}, outputs="y")
    assert str(ported.net) == AUTOENCODER
    assert str(ported.weights).startswith("layer0/w → fc_0/kernel\nlayer0/b → fc_0/bias\n")
    assert ported.verify("steps").ok
    expected = tf1.run("y:0", {"x:0": x, "keep:0": 1.0})
    np.testing.assert_allclose(ported.net.apply(ported.params, {}, x)[0], expected, rtol=1e-4, atol=1e-5)
    doubled = ported.to_tf_variables(jax.tree.map(lambda a: 2 * a, ported.params))
    for variable, value in doubled:
        variable.load(value, tf1)
    np.testing.assert_allclose(tf1.run(doubled[0][0]), 2 * ported.params["fc_0"]["kernel"], rtol=1e-6)


def test_a_graph_with_two_outputs_and_its_dropout_on():
    with session(True) as made:
        ported = port.from_tf(made.graph, {"x:0": draw(4, 784), "keep:0": 0.8}, outputs=["y", "layer0/Relu"])
    assert "dropout(0.2)" in str(ported.net) and ported.verify("gradients").ok


def test_a_session_says_what_it_needs(tf1):
    with pytest.raises(PortError, match="outputs='y'"):
        port.from_tf(tf1, draw(4, 784))
    with tf1.graph.as_default():
        tf1.graph.get_tensor_by_name("x:0").set_shape([None, 784])
        y = tf.math.bessel_i0(tf1.graph.get_tensor_by_name("y:0"), name="odd")
    line = sys._getframe().f_lineno - 1
    with pytest.raises(PortError, match=rf"tf.BesselI0 \(1×\), first at .*test_capture.py:{line}"):
        port.from_tf(tf1, {"x": draw(4, 784), "keep": 1.0}, outputs=y)


def test_a_saved_model_of_tf1(tf1, tmp_path):
    tensors = [tf1.graph.get_tensor_by_name(name) for name in ("x:0", "keep:0", "y:0")]
    with tf1.graph.as_default():
        v1.saved_model.simple_save(tf1, str(tmp_path / "saved"), dict(zip(("x", "keep"), tensors)), {"y": tensors[2]})
    ported = port.from_tf(tmp_path / "saved", {"x": draw(4, 784), "keep": 1.0})
    assert str(ported.net) == AUTOENCODER and ported.verify("step").ok


def test_a_saved_module_by_its_call_and_by_a_signature(tmp_path):
    module, x = MLP(), draw(5, 6)
    signature = module.__call__.get_concrete_function(tf.TensorSpec([None, 6], tf.float32, name="x"))
    tf.saved_model.save(module, str(tmp_path / "call"))
    tf.saved_model.save(module, str(tmp_path / "named"), signatures={"run": signature})
    direct = port.from_tf(module, x)
    for ported in (port.from_tf(tmp_path / "call", x), port.from_tf(str(tmp_path / "named"), signature="run")):
        assert ported.net == direct.net and ported.verify("steps").ok
        np.testing.assert_array_equal(ported.params["fc_0"]["kernel"], module.first.numpy())
    with pytest.raises(PortError, match="a signature among run, got walk"):
        port.from_tf(tmp_path / "named", signature="walk")


def test_values_go_back_to_the_variables():
    module, x = CNN(), draw(3, 8, 8, 3)
    ported = port.from_tf(module, x)
    moved = jax.tree.map(lambda a: 1.1 * a, ported.params)
    for variable, value in ported.to_tf_variables(moved):
        variable.assign(value)
    np.testing.assert_allclose(ported.net.apply(moved, ported.state, x)[0], module(x), rtol=1e-3, atol=1e-4)
    with pytest.raises(PortError, match="a port of a keras model"):
        ported.to_keras_weights(moved)


@pytest.mark.slow
def test_a_program_of_tf1_without_eager_execution(tmp_path):
    done = _python(NO_EAGER)
    assert done.returncode == 0, done.stderr[-3000:]


NO_EAGER = """
import numpy as np
import tensorflow.compat.v1 as tf

from compose import port

tf.disable_v2_behavior()
x = tf.placeholder(tf.float32, [None, 4])
w, b = tf.get_variable("w", [4, 3]), tf.get_variable("b", [3])
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    ported = port.from_tf(session, {x: np.ones((2, 4))}, outputs=tf.tanh(x @ w + b))
    assert str(ported.net) == "fc(3, tanh)" and ported.verify("steps", tf.train.AdamOptimizer(0.01)).ok
"""


def _python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=500, cwd=os.getcwd(),
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
    )  # fmt: skip


def test_the_command_line(tmp_path, capsys):
    module = MLP()
    signature = module.__call__.get_concrete_function(tf.TensorSpec([None, 6], tf.float32, name="x"))
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=signature)
    port_command("tf", str(tmp_path / "saved"), [], [], "step", tmp_path / "made", False)
    assert "port proven equal at the level 'step'" in capsys.readouterr().out
    assert (tmp_path / "made/model.py").exists()


KERAS = """
import sys

import keras

from compose import port

L = keras.layers
mlp = [keras.Input((6,)), L.Dense(8, "gelu"), L.LayerNormalization(), L.Dense(3, "softmax")]
images = [keras.Input((8, 8, 3)), L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.1, 0.9, 1.3])]
images += [L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.MaxPooling2D(2)]
for layers in (mlp, [*images, L.Flatten(), L.Dropout(0.2), L.Dense(5)]):
    model = keras.Sequential(layers)
    assert port.from_keras(model).verify("steps", keras.optimizers.Adam(0.01)).ok
    model.export(sys.argv[1], verbose=False)
    ported = port.from_tf(sys.argv[1])
    assert ported.verify("steps", keras.optimizers.Adam(0.01)).ok
    print(ported.net)
"""


@pytest.mark.slow
def test_keras_on_tensorflow_and_what_it_exports(tmp_path):
    pytest.importorskip("keras")
    done = _python(KERAS, str(tmp_path / "exported"), KERAS_BACKEND="tensorflow")
    assert done.returncode == 0, done.stderr[-3000:]
    _, first, second = done.stdout.strip().split("compose_seq", 2)
    assert first.split() == ["(fc(8,", "gelu),", "layer_norm(epsilon=0.001),", "fc(3,", "softmax))"]
    assert "batch_norm(epsilon=0.001)" in second and "flatten" in second


def test_what_keras_exports_on_jax(tmp_path):
    keras = pytest.importorskip("keras")
    keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)]).export(str(tmp_path / "exported"), verbose=False)
    with pytest.raises(PortError, match=r"code of JAX inside the graph.* from_keras"):
        port.from_tf(tmp_path / "exported")
