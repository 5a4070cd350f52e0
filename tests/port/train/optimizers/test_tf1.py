"""Each optimizer of tf.compat.v1.train against its port, in eager mode."""

from __future__ import annotations

import pytest

from compose import port
from compose.core.errors import ConfigError
from compose.port.train.optimizers.tf1 import rmsprop
from tests.port.train.optimizers.optimize import error, problem, run_port

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.filterwarnings("default")]

# TF1 rounds hyper-parameters to float32: only binary fractions compare in float64
EPS = {"epsilon": 2.0**-20}
CASES = [
    ("GradientDescent", {}),
    ("Momentum", {"momentum": 0.875}),
    ("Momentum", {"momentum": 0.875, "use_nesterov": True}),
    ("Adam", {"beta1": 0.5, "beta2": 0.25, **EPS}),
    ("Adagrad", {"initial_accumulator_value": 0.3}),
    ("Adadelta", {"rho": 0.875, **EPS}),
    ("RMSProp", {"decay": 0.75, **EPS}),
    ("RMSProp", {"decay": 0.75, "momentum": 0.5, "centered": True, **EPS}),
    ("Ftrl", {"l1_regularization_strength": 0.25, "l2_regularization_strength": 0.5, "beta": 0.125}),
    ("Ftrl", {"l2_shrinkage_regularization_strength": 0.25, "learning_rate_power": -0.25}),
]


@pytest.fixture(scope="module")
def train():
    tf = pytest.importorskip("tensorflow")
    return tf.compat.v1.train


def run_tf1(opt, params, grads):
    import tensorflow as tf

    tensors = {name: tf.Variable(value) for name, value in params.items()}
    seen = []
    for g in grads:
        opt.apply_gradients([(tf.constant(g[name]), tensor) for name, tensor in tensors.items()])
        seen.append({name: tensor.numpy() for name, tensor in tensors.items()})
    return seen


@pytest.mark.parametrize("name, options", CASES)
def test_thirty_steps(train, name, options, record_property):
    params, grads = problem()
    make = lambda: getattr(train, name + "Optimizer")(learning_rate=0.125, **options)
    worst = error(params, run_port(port.optimizer(make()), params, grads), run_tf1(make(), params, grads))
    record_property("error", float(worst))
    assert worst <= 1e-12


def test_rmsprop_by_its_own_name_and_a_refusal(train):
    params, grads = problem()
    theirs = run_tf1(train.RMSPropOptimizer(0.125, decay=0.75, epsilon=2.0**-10), params, grads)
    assert error(params, run_port(rmsprop(0.125, decay=0.75, eps=2.0**-10), params, grads), theirs) <= 1e-12
    with pytest.raises(ConfigError, match="ProximalAdagrad"):
        port.optimizer(train.ProximalAdagradOptimizer(0.1))
