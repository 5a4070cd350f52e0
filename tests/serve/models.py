"""Small networks to serve."""

from __future__ import annotations

from typing import Any

import jax

from compose import Layer, Trained
from compose.core.run import pack
from compose.train.named import UNNAMED, Names


def trained(net: Layer, *inputs: Any, names: Names = UNNAMED, seed: int = 0) -> Trained:
    """The network with random parameters, as if it had been trained on these inputs."""
    params, state = net.init(seed, *inputs)
    one = lambda s: s if isinstance(s, jax.ShapeDtypeStruct) else jax.ShapeDtypeStruct((1, s), "float32")
    return Trained(net, params, state, (), pack(tuple(map(one, inputs))), names=names)
