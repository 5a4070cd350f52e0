"""A network as a Flax NNX module."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from compose.core.layer import Layer, as_layer
from compose.core.plan import draws
from compose.flax.trees import plain


class Nnx(nnx.Module):
    """A network as an NNX module; see `as_nnx`.

    Attributes:
        net: the network.
        params: its parameters, each an `nnx.Param`.
        state: its state, each an `nnx.BatchStat`.
        deterministic: whether calls run in inference mode; set by `train()` and `eval()`.
        rngs: the stream `dropout` for layers that use randomness.
    """

    def __init__(self, net: Layer, params: dict, state: dict, rngs: nnx.Rngs | None):
        self.net = net
        self.params = nnx.data(jax.tree.map(nnx.Param, params))
        self.state = nnx.data(jax.tree.map(nnx.BatchStat, state))
        self.deterministic = False
        self.rngs = rngs.fork() if rngs is not None and draws(net) else None

    def __call__(self, *inputs: Any, mask: Any = None) -> Any:
        train = not self.deterministic
        rng = self.rngs.dropout() if train and self.rngs is not None else None
        params, state = plain(self.params), plain(self.state)
        y, after = self.net.apply(params, state, *inputs, rng=rng, train=train, mask=mask)
        if train:
            is_variable = lambda v: isinstance(v, nnx.Variable)
            jax.tree.map(lambda kept, new: kept.set_value(new), self.state, after, is_leaf=is_variable)
        return y


def as_nnx(net: Any, *inputs: Any, rngs: nnx.Rngs) -> Nnx:
    """A network as an NNX module, with parameters initialised from `rngs.params`.

    Like any NNX module it is in training mode until `eval()` is called. In training mode, layers draw from
    `rngs.dropout` and batch statistics are updated. To use existing arrays, construct `Nnx(net, params, state, rngs)`;
    `from_variables(module)` reads them back.

    Args:
        net: the network.
        inputs: arrays or shapes, as for `init`.
        rngs: streams for the parameters and for layers that use randomness.

    >>> import compose, jax
    >>> from flax import nnx
    >>> module = as_nnx(compose.fc(3, compose.relu), 5, rngs=nnx.Rngs(0))
    >>> module(jax.numpy.ones((2, 5))).shape, module.params["kernel"].shape
    ((2, 3), (5, 3))
    """
    layer = as_layer(net)
    return Nnx(layer, *layer.init(rngs.params(), *inputs), rngs)
