"""What a person calls on a network: thin methods over the functions that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from compose.core.registry import word

if TYPE_CHECKING:
    from compose.core.layer import Layer
    from compose.train import Trained


class Methods:
    """The surface of every layer; `self` is the whole network."""

    def init(self: Any, key, *inputs) -> tuple[dict, dict]:
        """Draw parameters and state: two nested dicts of arrays.

        Args:
            key: a `jax.random.key`, or an int to make one from.
            inputs: arrays, `jax.ShapeDtypeStruct`s, or shapes without the batch: `784`, `(28, 28, 1)`.

        Raises `LayerError` where a layer does not fit its input.
        """
        from compose.core.run import init

        return init(self, key, *inputs)

    def apply(self: Any, params, state, *inputs, rng=None, train: bool = False, mask=None) -> tuple[Any, Any]:
        """Run the network: `(output, state)`, a pure function of its arguments.

        Args:
            params, state: as from `init`.
            inputs: arrays, or tuples of arrays.
            rng: for layers that draw, as dropout does in training.
            train: whether this is a training step.
            mask: boolean `(batch, time)`, True where a step is real, for recurrent and attention layers.

        Raises `LayerError` where input, parameters or rng do not fit.
        """
        from compose.core.run import apply

        return apply(self, params, state, *inputs, rng=rng, train=train, mask=mask)

    def intermediates(self: Any, params, state, *inputs, mask=None) -> dict[str, Any]:
        """The value of every layer inside by its path, in the order in which they run, in inference mode.

        The turns of a `repeat` are `repeat_0/0`, `repeat_0/1`, ...
        """
        from compose.core.run import intermediates

        return intermediates(self, params, state, *inputs, mask=mask)

    def out(self: Any, *inputs) -> Any:
        """The output's shape, computed without arrays; for a shape without batch, without batch.

        >>> from compose import fc, relu
        >>> fc(250, relu).out(784)
        (250,)
        """
        from compose.core.run import out

        return out(self, *inputs)

    def summary(self: Any, *inputs) -> Any:
        """A table of paths, output shapes, parameters and FLOPs (of one example for a shape without batch)."""
        from compose.summary import summary

        return summary(self, *inputs)

    def fit(self: Any, x, y, **options) -> Trained:
        """Train on examples; see `compose.train.fit` for the options."""
        from compose.train import fit

        return fit(self, x, y, **options)

    def replace(self: Any, path: str, new: Any) -> Layer:
        """The network with the layer at `path` (`"block/e1"`) exchanged; the new one keeps the key."""
        from compose.core.editing import replace

        return replace(self, path, new)

    def map(self: Any, fn: Callable[[str, Layer], Any]) -> Layer:
        """The network with `fn(path, layer)` in the place of every layer, innermost first."""
        from compose.core.editing import map_layers

        return map_layers(self, fn)

    def walk(self: Any) -> Iterator[tuple[str, Layer]]:
        """Every layer inside, outermost first, with its path."""
        from compose.core.layer import walk

        return (("/".join(path), inner) for path, inner in walk(self))

    def trainable(self: Any, params) -> Any:
        """A tree like `params` of booleans, False for what is `frozen`: a mask for `optax.masked`."""
        from compose.core.editing import trainable

        return trainable(self, params)

    def __getitem__(self: Any, at: int | str | slice) -> Layer:
        """A layer by path or position, or a slice of a sequence, which keeps the keys of the whole."""
        from compose.core.editing import select

        return select(self, at)

    def __call__(self: Any, *xs):
        """A step of the graph that is being traced, or, for a layer without parameters, its value."""
        for x in xs:
            if hasattr(type(x), "__compose_step__"):
                return x.__compose_step__(self, xs)
        from compose.core.run import call_eagerly

        return call_eagerly(self, *xs)

    def __rshift__(self, other) -> Layer:
        return word("compose_seq").of(self, other)

    def __rrshift__(self, other) -> Layer:
        return word("compose_seq").of(other, self)

    def __add__(self, other) -> Layer:
        return word("branch").joined("add", self, other)

    def __radd__(self, other) -> Layer:
        return word("branch").joined("add", other, self)

    def __mul__(self, other) -> Layer:
        return word("branch").joined("multiply", self, other)

    def __rmul__(self, other) -> Layer:
        return word("branch").joined("multiply", other, self)

    def __repr__(self: Any) -> str:
        from compose.core.printing import source

        return source(self)

    def _repr_html_(self: Any) -> str:
        from compose.summary import html

        return html(self)
