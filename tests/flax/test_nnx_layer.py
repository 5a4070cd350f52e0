"""NNX modules as layers."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx

from compose.flax import layer
from tests.flax.modules import NnxBlock, close


def test_an_nnx_layer_is_the_module(x, key):
    net = layer(NnxBlock, 5, 3)
    params, state = net.init(key, x)
    assert params["dense"]["0"]["kernel"].shape == (5, 3) and set(state) == {"norm"}
    module = NnxBlock(5, 3, rngs=nnx.Rngs(0))
    module.dense[0].kernel.set_value(params["dense"]["0"]["kernel"])
    close(net.apply(params, state, x)[0], (module.eval(), module(x))[1])
    y, after = net.apply(params, state, x, train=True, rng=1)
    module.train()
    close(y, module(x))
    close(after["norm"]["mean"], module.norm.mean.get_value())
    assert float(jnp.abs(after["norm"]["mean"]).max()) > 0
