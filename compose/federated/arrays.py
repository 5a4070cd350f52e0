"""The parameters and the state of a network as Flower sends them, and back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import DataError
from compose.core.layer import Layer
from compose.core.patterns import paths
from compose.core.plan import plan
from compose.core.run import abstract
from compose.federated.flower import flower
from compose.train.trained import Trained


def to_arrays(params: dict[str, Any], state: dict[str, Any]) -> Any:
    """A Flower `ArrayRecord` of parameters and state, each array under its path, as in `params/fc_0/kernel`.

    The state, such as the statistics of batch norm, is averaged by the server like the parameters.
    """
    app, _ = flower()
    return app.ArrayRecord({name: app.Array(np.asarray(leaf)) for name, leaf in _named(params, state).items()})


def from_arrays(record: Any, net: Layer, *inputs: Any) -> Trained:
    """The network with the arrays that Flower sent, as a `Trained` without a history: to evaluate, train on and save.

    Args:
        record: a Flower `ArrayRecord`, as `to_arrays` makes it.
        net: the network.
        inputs: an example for each input, or its shape, as in `net.init`.

    Raises `DataError` if the arrays are not those of the network, by names, shapes and kinds of numbers, or if there is
    a number among them that is not finite.
    """
    x = abstract(inputs)
    planned = plan(net, x)
    wanted = (planned.param_specs(), planned.state_specs())
    named = _named(*wanted)
    if set(record) != set(named):
        missing, more = sorted(set(named) - set(record)), sorted(set(record) - set(named))
        lists = ((", ".join(names[:3]) + ", ..." * (len(names) > 3)) or "none" for names in (missing, more))
        raise DataError("the arrays are not those of the network: missing are {}, unknown are {}".format(*lists))
    found = [_array(name, record[name], spec) for name, spec in named.items()]
    params, state = jax.tree.unflatten(jax.tree.structure(wanted), found)
    return Trained(net, params, state, (), jax.tree.map(lambda s: jax.ShapeDtypeStruct((1, *s.shape[1:]), s.dtype), x))


def _named(params: Any, state: Any) -> dict[str, Any]:
    """The leaves of both trees by path, in the order of `(params, state)`."""
    names = [f"{kind}/{path}" for kind, tree in (("params", params), ("state", state)) for path in paths(tree)]
    return dict(zip(names, jax.tree.leaves((params, state)), strict=True))


def _array(name: str, sent: Any, spec: Any) -> jax.Array:
    """One array, whose shape is compared as it is said to be before it is decoded."""
    if tuple(sent.shape) != spec.shape:
        raise DataError(f"{name} must have the shape {spec.shape}; got {tuple(sent.shape)}")
    array = sent.numpy()  # NumPy's own format, without pickles
    if array.shape != spec.shape or array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be numbers of the shape {spec.shape}; got {array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{name} has numbers that are not finite")
    integers = not jnp.issubdtype(spec.dtype, jnp.floating)
    return jnp.asarray(np.rint(array) if integers and array.dtype.kind == "f" else array, spec.dtype)
