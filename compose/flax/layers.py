"""Any Flax module as a layer."""

from __future__ import annotations

from typing import Any

from flax import linen as nn
from flax import nnx

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.flax.linen_layer import FlaxModule
from compose.flax.nnx_layer import NnxModule


def layer(module: Any, *args: Any, name: str | None = None, **options: Any) -> Layer:
    """A Flax module as a layer: `layer(nn.Dense(3))`, or for NNX the class and its arguments, without `rngs`.

    Expressions hold no arrays, but an NNX module does. So `layer(nnx.Linear, 5, 3)` takes the class and constructs a
    new module for each `init`. The layer can be used anywhere; saving it is an error that says how to register it.

    Args:
        module: a Linen module, or a class of NNX modules.
        args, options: hashable arguments of the NNX class, without `rngs`.
        name: the layer's name.

    >>> from flax import linen as nn, nnx
    >>> layer(nn.Dense(3)).out(5), layer(nnx.Linear, 5, 3).out(5)
    ((3,), (3,))

    Raises `ConfigError` for anything else.
    """
    if isinstance(module, nn.Module):
        if args or options:
            raise ConfigError("only a Linen module", f"also arguments {args} {options}")
        return FlaxModule(module, name=name)
    if isinstance(module, type) and issubclass(module, nnx.Module):
        return NnxModule(module, args, tuple(sorted(options.items())), name=name)
    what = f"a live {type(module).__name__}" if isinstance(module, nnx.Module) else repr(module)[:80]
    raise ConfigError(
        "a Linen module, or a class of NNX modules and its arguments", what, "layer(nnx.Linear, 5, 3), without rngs"
    )
