"""A network as a Flax Linen module."""

from __future__ import annotations

from typing import Any

from flax import linen as nn

from compose.core.layer import Layer, as_layer
from compose.core.plan import draws


class Linen(nn.Module):
    """What `as_linen` gives.

    Attributes:
        net: the network.
        collection: where its state is kept.
    """

    net: Layer
    collection: str = "batch_stats"

    @nn.compact
    def __call__(self, *inputs: Any, train: bool = False, mask: Any = None) -> Any:
        if self.is_initializing():
            params, state = self.net.init(self.make_rng("params"), *inputs)
            self._keep("params", params)
            self._keep(self.collection, state)
        found = self.variables
        params, state = (dict(found.get(name, {})) for name in ("params", self.collection))
        rng = self.make_rng("dropout") if train and draws(self.net) and self.has_rng("dropout") else None
        y, after = self.net.apply(params, state, *inputs, rng=rng, train=train, mask=mask)
        if train and self.is_mutable_collection(self.collection):
            self._keep(self.collection, after)
        return y

    def _keep(self, collection: str, tree: dict) -> None:
        for key, value in tree.items():
            self.put_variable(collection, key, value)


def as_linen(net: Any, collection: str = "batch_stats", name: str | None = None) -> Linen:
    """A network as a Linen module: `init`, `apply` with `train=True`, `mutable=["batch_stats"]` and the rng `dropout`.

    Its `params` are the network's, and so is its state in `batch_stats`: see `to_variables` and `from_variables`.

    Args:
        net: the network.
        collection: where the state is kept.
        name: the module's, inside another.

    >>> import compose, jax
    >>> module = as_linen(compose.fc(3) >> compose.batch_norm)
    >>> variables = module.init(jax.random.key(0), jax.numpy.ones((2, 5)))
    >>> y, after = module.apply(variables, jax.numpy.ones((2, 5)), train=True, mutable=["batch_stats"])
    >>> y.shape, sorted(after["batch_stats"])
    ((2, 3), ['batch_norm_0'])
    """
    return Linen(as_layer(net), collection, name=name)
