"""Layers in sequence."""

from __future__ import annotations

from typing import Any

from compose.core.combinator import Combinator
from compose.core.editing import holds, named
from compose.core.errors import ConfigError
from compose.core.hooks import hooks
from compose.core.layer import Layer, as_layer, count_keys, keys_of, layer


class Siblings(Combinator):
    """A combinator over a tuple `layers`, passed as its positional arguments."""

    starred = "layers"
    layers: tuple[Layer, ...]

    def validate(self) -> None:
        keys_of(self.layers)

    @property
    def keys(self) -> tuple[str, ...]:
        keys = self.__dict__.get("_keys")
        if keys is None:
            keys = keys_of(self.layers)
            object.__setattr__(self, "_keys", keys)
        return keys

    def children(self):
        return tuple(zip(self.keys, self.layers))

    def with_children(self, layers):
        return self.but(layers=tuple(layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self):
        return iter(self.layers)


@layer
class compose_seq(Siblings):
    """`h(g(f(x)))` for `compose_seq(f, g, h)`, also written `f >> g >> h`.

    A slice keeps the layers' keys, so it runs on the same parameters.

    Shapes: the first layer's input, to the last layer's output. Elsewhere: Keras `Sequential`, torch `Sequential`, Flax
    `Sequential`.

    >>> from compose import compose_seq, fc, relu
    >>> net = compose_seq(fc(250, relu), fc(50, relu), fc(10))
    >>> net[1:]
    compose_seq(fc(50, relu, name="fc_1"), fc(10, name="fc_2"))
    """

    layers: tuple[Layer, ...] = ()

    def __init__(self, *layers: Any, name: str | None = None):
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "name", name)
        self.__post_init__()

    @property
    def kind(self) -> str:
        return "seq"

    @classmethod
    def of(cls, a: Any, b: Any) -> compose_seq:
        """`a >> b`. Unnamed sequences on either side are flattened, which makes it associative."""
        parts = []
        for side in (as_layer(a), as_layer(b)):
            if isinstance(side, compose_seq) and side.name is None:
                parts.extend(side.layers)
            else:
                parts.append(side)
        return cls(*parts)

    def flow(self, x, run):
        for key, inner in zip(self.keys, self.layers):
            x = run(key, inner, x)
        return x

    def positions(self, at: int | slice) -> Layer:
        """The layer at an index, or the sequence of a slice, whose layers keep their keys."""
        if isinstance(at, int):
            try:
                return self.layers[at]
            except IndexError:
                raise ConfigError(f"an index below {len(self)}", str(at)).locate(self) from None
        if at.step not in (None, 1):
            raise ConfigError("a slice without a step, since slices keep the order", repr(at)).locate(self)
        kept, keys = self.layers[at], self.keys[at]
        auto = count_keys(kept)
        renamed = (
            named(key, inner) if key != now and holds(inner) else inner for key, now, inner in zip(keys, auto, kept)
        )
        return self.but(layers=tuple(renamed))


hooks.chain = compose_seq.of
