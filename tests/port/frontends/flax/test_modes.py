"""What a Flax module does in training alone: fixed statistics, stopped gradients, the options of its call."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from compose import port
from compose.core.errors import PortError

X = 3 * jax.random.normal(jax.random.key(0), (8, 3)) + 1


class Fixed(nn.Module):
    """A norm that keeps its statistics in training too."""

    options: dict

    @nn.compact
    def __call__(self, x):
        return nn.BatchNorm(use_running_average=True, **self.options)(nn.Dense(4)(x))


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(3)(nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x)))


class FixedByCall(nnx.Module):
    def __init__(self, rngs):
        self.dense, self.norm = nnx.Linear(3, 4, rngs=rngs), nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x):
        return self.norm(self.dense(x), use_running_average=True)


@pytest.mark.parametrize("options", [{}, {"use_scale": False}, {"use_scale": False, "use_bias": False}])
def test_fixed_statistics_stay_fixed_in_training(options):
    module = Fixed(options)
    variables = module.init(jax.random.key(1), X)
    p = port.from_flax(module, variables, X)
    assert "frozen(batch_norm" in str(p.net) and p.verify("step").ok
    y, state = p.net.apply(p.params, p.state, X, train=True, rng=jax.random.key(0))
    np.testing.assert_allclose(y, module.apply(variables, X), rtol=1e-5, atol=1e-6)
    assert jax.tree.all(jax.tree.map(np.array_equal, state, p.state))


def test_fixed_statistics_by_an_argument_of_the_call():
    p = port.from_flax(FixedByCall(nnx.Rngs(0)), X)
    assert "frozen(batch_norm" in str(p.net) and p.verify("step").ok


@pytest.mark.parametrize("options", [{}, {"train": False}])
def test_the_option_of_inference_leaves_training_steps_to_training(options):
    variables = Normed().init(jax.random.key(1), X, train=False)
    p = port.from_flax(Normed(), variables, X, **options)
    assert "frozen" not in str(p.net) and p.verify("step").ok


def test_the_option_of_training_is_refused():
    variables = Normed().init(jax.random.key(1), X, train=False)
    with pytest.raises(PortError, match="inference mode, got train=True"):
        port.from_flax(Normed(), variables, X, train=True)


class Quantised(nn.Module):
    """A straight-through estimator, as in a VQ-VAE."""

    @nn.compact
    def __call__(self, x):
        q = nn.Dense(3)(x)
        return x + jax.lax.stop_gradient(q - x), jnp.mean((jax.lax.stop_gradient(q) - x) ** 2, -1)


def test_a_stopped_gradient():
    variables = Quantised().init(jax.random.key(1), X)
    p = port.from_flax(Quantised(), variables, X)
    assert "ops.stop_gradient" in str(p.net)
    assert p.verify("outputs").ok
    y = p.net.apply(p.params, p.state, X)[0]
    np.testing.assert_allclose(y[0], Quantised().apply(variables, X)[0], rtol=1e-5)


def test_a_stopped_gradient_is_proven():
    class Half(nn.Module):
        @nn.compact
        def __call__(self, x):
            q = nn.Dense(3)(x)
            return jax.lax.stop_gradient(jnp.tanh(q)) * q

    variables = Half().init(jax.random.key(1), X)
    assert port.from_flax(Half(), variables, X).verify("gradients").ok


def test_a_stopped_gradient_of_a_weight_keeps_it():
    class Held(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(x - jax.lax.stop_gradient(self.param("code", nn.initializers.ones, x.shape[-1:])))

    variables = Held().init(jax.random.key(1), X)
    p = port.from_flax(Held(), variables, X)
    assert "ops.stop_gradient" in str(p.net) and p.verify("step").ok


def test_a_mean_of_what_a_known_function_makes():
    class Mean(nn.Module):
        @nn.compact
        def __call__(self, x):
            return jax.nn.gelu(nn.Dense(4)(x)).sum(-1) / 4

    variables = Mean().init(jax.random.key(1), X)
    p = port.from_flax(Mean(), variables, X)
    assert "ops.mean" in str(p.net) and p.verify("gradients").ok
