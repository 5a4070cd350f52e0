"""Networks as Linen modules: the same outputs, gradients and state."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import serialization
from flax.training import train_state

from compose import batch_norm, compose_seq, dropout, fc, relu
from compose.flax import as_linen, from_variables, to_variables
from tests.flax.modules import close

NET = compose_seq(fc(8, relu, name="a"), batch_norm, dropout(0.25), fc(3))


def test_as_linen_is_the_net(x, key):
    module = as_linen(NET)
    variables = module.init(key, x)
    params, state = from_variables(variables)
    assert jax.tree.map(jnp.shape, (params, state)) == jax.tree.map(jnp.shape, NET.init(key, x))
    assert to_variables(params, state).keys() == variables.keys()
    close(module.apply(variables, x), NET.apply(params, state, x)[0])
    y, after = module.apply(variables, x, train=True, mutable=["batch_stats"], rngs={"dropout": key})
    assert y.shape == (6, 3)
    close(after["batch_stats"], NET.apply(params, state, x, train=True, rng=key)[1])


def test_a_flax_train_state_trains_it_inside_another_module(x, key, tmp_path):
    class Whole(nn.Module):
        @nn.compact
        def __call__(self, x, train: bool = False):
            return nn.Dense(2)(as_linen(NET, name="body")(x, train=train))

    class State(train_state.TrainState):
        batch_stats: dict

    module = Whole()
    variables = module.init(key, x)
    state = State.create(apply_fn=module.apply, params=variables["params"], tx=optax.adam(1e-2),
                         batch_stats=variables["batch_stats"])  # fmt: skip
    target = jnp.stack([x[:, 0], x[:, 1] * 2], 1)

    @jax.jit
    def step(state, rng):
        def loss(params):
            y, after = state.apply_fn({"params": params, "batch_stats": state.batch_stats}, x, train=True,
                                      mutable=["batch_stats"], rngs={"dropout": rng})  # fmt: skip
            return jnp.mean((y - target) ** 2), after["batch_stats"]

        (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
        return state.apply_gradients(grads=grads).replace(batch_stats=stats), value

    losses = []
    for i in range(40):
        state, value = step(state, jax.random.key(i))
        losses.append(float(value))
    assert losses[-1] < 0.5 * losses[0]
    (tmp_path / "state").write_bytes(serialization.to_bytes(state))
    fresh = State.create(apply_fn=module.apply, params=variables["params"], tx=optax.adam(1e-2),
                         batch_stats=variables["batch_stats"])  # fmt: skip
    again = serialization.from_bytes(fresh, (tmp_path / "state").read_bytes())
    close(again.params, state.params)
    close(again.batch_stats, state.batch_stats)
    inner = again.params["body"], again.batch_stats["body"]
    close(NET.apply(*inner, x)[0].shape, (6, 3))
