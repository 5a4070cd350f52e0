"""Networks as NNX modules: the same outputs, gradients and state."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from compose import batch_norm, compose_seq, dropout, fc, relu
from compose.flax import as_nnx, from_variables
from tests.flax.modules import close

NET = compose_seq(fc(8, relu, name="a"), batch_norm, dropout(0.25), fc(3))


def test_as_nnx_is_the_net(x):
    module = as_nnx(NET, x, rngs=nnx.Rngs(0))
    params, state = from_variables(module)
    module.eval()
    close(module(x), NET.apply(params, state, x)[0])
    module.train()
    optimizer = nnx.Optimizer(module, optax.adam(1e-2), wrt=nnx.Param)
    target = x[:, :3]

    @nnx.jit
    def step(module, optimizer):
        value, grads = nnx.value_and_grad(lambda m: jnp.mean((m(x) - target) ** 2))(module)
        optimizer.update(module, grads)
        return value

    losses = [float(step(module, optimizer)) for _ in range(30)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert float(jnp.abs(module.state["batch_norm_0"]["mean"][...]).max()) > 0


def test_gradients_of_as_nnx_are_the_nets(x):
    module = as_nnx(fc(3, relu), x, rngs=nnx.Rngs(0))
    params, _ = from_variables(module)
    ours = jax.grad(lambda p: jnp.sum(fc(3, relu).apply(p, {}, x)[0] ** 2))(params)
    grads = nnx.grad(lambda m: jnp.sum(m(x) ** 2))(module)
    close(ours["kernel"], grads["params"]["kernel"][...])
