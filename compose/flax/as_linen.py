"""A network as a Flax Linen module."""

from __future__ import annotations

from typing import Any

from flax import linen as nn

from compose.core.layer import Layer, as_layer
from compose.core.plan import draws


class Linen(nn.Module):
    """A network as a Linen module; see `as_linen`.

    Attributes:
        net: the network.
        collection: the collection of its state.
    """

    net: Layer
    collection: str = "batch_stats"

    @nn.compact
    def __call__(self, *inputs: Any, train: bool = False, mask: Any = None) -> Any:
        if self.is_initializing():
            params, state = self.net.init(self.make_rng("params"), *inputs)
            self._keep("params", params)
            self._keep(self.collection, state)
        params, state = (dict(self.variables.get(name, {})) for name in ("params", self.collection))
        rng = self.make_rng("dropout") if train and draws(self.net) and self.has_rng("dropout") else None
        y, after = self.net.apply(params, state, *inputs, rng=rng, train=train, mask=mask)
        if train and self.is_mutable_collection(self.collection):
            self._keep(self.collection, after)
        return y

    def _keep(self, collection: str, tree: dict) -> None:
        for key, value in tree.items():
            self.put_variable(collection, key, value)


def as_linen(net: Any, collection: str = "batch_stats", name: str | None = None) -> Linen:
    """A network as a Linen module. To train, `apply` with `train=True`, `mutable=["batch_stats"]` and a `dropout` rng.

    `params` holds the network's parameters, `batch_stats` its state: see `to_variables` and `from_variables`.

    Args:
        net: the network.
        collection: the collection of its state.
        name: the module's name inside another module.

    >>> import compose, jax
    >>> module = as_linen(compose.fc(3) >> compose.batch_norm)
    >>> variables = module.init(jax.random.key(0), jax.numpy.ones((2, 5)))
    >>> y, after = module.apply(variables, jax.numpy.ones((2, 5)), train=True, mutable=["batch_stats"])
    >>> y.shape, sorted(after["batch_stats"])
    ((2, 3), ['batch_norm_0'])
    """
    return Linen(as_layer(net), collection, name=name)
