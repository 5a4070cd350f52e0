"""Each optimizer of keras.optimizers against its port."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import port
from compose.core.errors import ConfigError
from tests.port.train.optimizers.optimize import SHAPES, error, problem, run_port

pytestmark = pytest.mark.usefixtures("keras64")

OPTIMIZERS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}],
    "Adam": [{}, {"amsgrad": True, "epsilon": 1e-2}, {"beta_1": 0.5, "beta_2": 0.9, "weight_decay": 0.1}],
    "AdamW": [{}, {"amsgrad": True}],
    "Adamax": [{}, {"epsilon": 1e-2, "weight_decay": 0.1}],
    "Nadam": [{}, {"beta_1": 0.5, "epsilon": 1e-2, "weight_decay": 0.1}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.0, "epsilon": 1e-2}],
    "Adadelta": [{}, {"rho": 0.5, "epsilon": 1e-2}],
    "RMSprop": [{}, {"momentum": 0.9}, {"centered": True}, {"centered": True, "momentum": 0.5, "weight_decay": 0.1}],
    "Ftrl": [
        {},
        {
            "l1_regularization_strength": 0.1,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.3,
            "beta": 0.4,
            "learning_rate_power": -0.3,
        },
        {"weight_decay": 0.1},
    ],
    "Lion": [{}, {"beta_1": 0.5, "weight_decay": 0.1}],
    "Lamb": [{}, {"weight_decay": 0.1, "epsilon": 1e-2}],
    "Adafactor": [{}, {"weight_decay": 0.1, "epsilon_2": 0.1, "clip_threshold": 0.3, "relative_step": False}],
    "ScheduleFreeAdamW": [{}, {"warmup_steps": 10, "weight_decay": 0.1}],
}
AROUND = [
    {"clipnorm": 0.1},
    {"global_clipnorm": 0.1},
    {"clipvalue": 0.01},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4},
    {"gradient_accumulation_steps": 3, "weight_decay": 0.1, "global_clipnorm": 1.0, "use_ema": True},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 5},
    {"loss_scale_factor": 8.0},
]
CASES = [(name, options) for name in OPTIMIZERS for options in OPTIMIZERS[name]]
CASES += [("RMSprop", {"momentum": 0.5, **options}) for options in AROUND]
COUNTING = ["Adam", "Adamax", "Nadam", "Lamb", "Adafactor", "ScheduleFreeAdamW"]
CASES += [(name, {"gradient_accumulation_steps": 3}) for name in COUNTING]


def run_keras(opt, params, grads):
    """The parameters after each step."""
    tensors = {name: keras.Variable(value, name=name) for name, value in params.items()}
    opt.build(list(tensors.values()))
    weights, state = [v.value for v in tensors.values()], [v.value for v in opt.variables]
    step = jax.jit(lambda state, g, weights: opt.stateless_apply(state, g, weights))
    scale, seen = opt.loss_scale_factor or 1.0, []
    for g in grads:
        weights, state = step(state, [jnp.asarray(g[name]) * scale for name in tensors], weights)
        seen.append({name: np.asarray(w) for name, w in zip(tensors, weights)})
    return seen


def pair(name, options, rate):
    """The error of a port over thirty steps."""
    params, grads = problem()
    make = lambda: getattr(keras.optimizers, name)(learning_rate=rate, **options)
    return error(params, run_port(port.optimizer(make()), params, grads), run_keras(make(), params, grads))


@pytest.mark.parametrize("name, options", [pytest.param(*case, id=f"{case[0]} {case[1]}") for case in CASES])
def test_thirty_steps_at_a_falling_rate(name, options, record_property):
    worst = pair(name, options, keras.optimizers.schedules.InverseTimeDecay(0.1, 5, 0.7))
    record_property("error", float(worst))
    assert worst <= 1e-12


@settings(max_examples=6, deadline=None)
@given(
    beta_1=st.floats(0.0, 0.99),
    beta_2=st.floats(0.5, 0.9999),
    epsilon=st.floats(1e-10, 1e-1),
    weight_decay=st.floats(0.0, 0.5),
    amsgrad=st.booleans(),
)
def test_adam_of_any_hyperparameters(beta_1, beta_2, epsilon, weight_decay, amsgrad):
    options = dict(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, weight_decay=weight_decay, amsgrad=amsgrad)
    assert pair("Adam", options, 0.01) <= 1e-11


def test_parameters_excluded_from_decay():
    params, grads = problem()

    def make():
        opt = keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.2)
        opt.exclude_from_weight_decay(var_names=["bias"])
        return opt

    with pytest.raises(ConfigError, match="which parameters decay"):
        port.optimizer(make())
    theirs = run_keras(make(), params, grads)
    for decay in ({"bias": False, "kernel": True}, lambda tree: jax.tree.map(lambda p: p.ndim > 1, tree)):
        assert error(params, run_port(port.optimizer(make(), decay=decay), params, grads), theirs) <= 1e-12


def test_the_average_is_in_the_state():
    params, grads = problem()
    opt = keras.optimizers.SGD(learning_rate=0.1, use_ema=True)
    run_keras(opt, params, grads[:0])
    tx = port.optimizer(opt)
    state = tx.init(params)
    updates, state = tx.update(grads[0], state, params)
    for name in SHAPES:
        np.testing.assert_allclose(state[-1].average[name], params[name] + updates[name])


def test_a_rate_of_ones_own_and_a_rate_without_arguments():
    params, grads = problem()
    ours = port.optimizer(keras.optimizers.SGD(0.1), learning_rate=0.2)
    theirs = run_keras(keras.optimizers.SGD(0.2), params, grads)
    assert error(params, run_port(ours, params, grads), theirs) <= 1e-12
    with pytest.raises(ConfigError, match="function of step"):
        port.optimizer(keras.optimizers.SGD(lambda: 0.1))


def test_what_cannot_be_exact_is_refused():
    with pytest.raises(ConfigError, match="Keras names"):
        port.optimizer(keras.optimizers.Muon())
    with pytest.raises(ConfigError, match="inner_optimizer"):
        port.optimizer(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))
    with pytest.raises(ConfigError, match="parameter groups"):
        port.optimizer(keras.optimizers.SGD(), labels={"kernel": 0})
    with pytest.raises(ConfigError, match="one learning rate"):
        port.optimizer(keras.optimizers.SGD(), learning_rate=[0.1, 0.2])


def test_a_used_optimizer_says_so():
    opt, weight = keras.optimizers.Adam(), keras.Variable(np.zeros(2))
    opt.apply([jnp.ones(2)], [weight])
    with pytest.warns(UserWarning, match="not carried over"):
        port.optimizer(opt)
