"""Linen modules as layers: the same outputs, gradients and state as Flax alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

import compose
from compose import fc
from compose.core import registry
from compose.flax import LinenLayer, layer, to_variables
from tests.flax.modules import Block, close


def test_a_linen_layer_is_the_module(x, key):
    net, module = fc(4) >> layer(Block(3), name="block"), Block(3)
    params, state = net.init(key, x)
    inner = to_variables(params["block"])["params"]
    assert jax.tree.map(jnp.shape, inner) == jax.tree.map(
        jnp.shape, module.init(key, jnp.ones((6, 4)), False)["params"]
    )

    def theirs(params, train):
        h = x @ params["fc_0"]["kernel"] + params["fc_0"]["bias"]
        variables = {"params": params["block"], **state["block"]}
        return module.apply(variables, h, train, mutable=["batch_stats"])

    for train in (False, True):
        y, after = net.apply(params, state, x, train=train, rng=1)
        expected, changed = theirs(params, train)
        close(y, expected)
        close(after["block"], changed if train else state["block"])
    ours = jax.grad(lambda p: jnp.sum(net.apply(p, state, x, train=True, rng=1)[0] ** 3))(params)
    close(ours, jax.grad(lambda p: jnp.sum(theirs(p, True)[0] ** 3))(params))


def test_a_registered_module_is_a_word(tmp_path, x, monkeypatch):
    monkeypatch.setattr("compose.core.registry._words", registry.words())

    @compose.register
    class flax_block(LinenLayer):
        size: int

        def module(self):
            return Block(self.size)

    net = fc(4) >> flax_block(3)
    assert str(net) == "compose_seq(fc(4), flax_block(3))" and compose.parse(str(net)) == net
    trained = net.fit(x, x[:, :3], loss="mse", optimizer=optax.sgd(0.1), epochs=1, batch_size=3, verbose=False)
    trained.save(tmp_path / "m.safetensors")
    again = compose.load(tmp_path / "m.safetensors")
    close(again.predict(x), trained.predict(x))


def test_a_module_that_writes_its_state_in_inference_too(x, key):
    net = compose.flax.layer(nn.BatchNorm(use_running_average=False))
    params, state = net.init(key, x)
    y, after = net.apply(params, state, x)
    np.testing.assert_allclose(jnp.mean(y, 0), 0, atol=1e-5)
    assert jax.tree.all(jax.tree.map(np.array_equal, state, after))


def test_a_cell_takes_its_carry_and_an_input(key):
    carry, x = (jnp.ones((3, 6)), jnp.ones((3, 6))), jnp.ones((3, 5))
    net = compose.flax.layer(nn.LSTMCell(6))
    params, state = net.init(key, carry, x)
    (c, h), y = net.apply(params, state, carry, x)[0]
    wanted, _ = nn.LSTMCell(6).apply({"params": params}, carry, x)
    np.testing.assert_allclose((c, h), wanted, rtol=1e-6)
    np.testing.assert_allclose(y, h, rtol=1e-6)
