"""Initialisation of each array as Flax does it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from compose import repeat
from compose.flax import layer


def test_every_leaf_starts_as_flax_draws_it(key):
    x = jnp.ones((1, 400))
    net = repeat(3, layer(nn.Dense(400, bias_init=nn.initializers.normal(2.0))))
    params, _ = net.init(key, x)
    kernel, bias = params["flax_0"]["kernel"] if "flax_0" in params else params["kernel"], jax.tree.leaves(params)[0]
    assert kernel.shape == (3, 400, 400) and abs(float(kernel.std()) - 400**-0.5) < 2e-3
    assert 1.8 < float(bias.std()) < 2.2 and (kernel[0] != kernel[1]).any()
