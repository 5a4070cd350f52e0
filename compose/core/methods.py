"""The methods that a user calls on a network: thin, over the functions that do the work."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

from compose.core.attributes import LAYER_ATTRIBUTES
from compose.core.hooks import hooks
from compose.core.keywords import helps_with_keywords

_APPLY_KEYWORDS = {
    "training": "train",
    "is_training": "train",
    "deterministic": "train: train=True runs it as in training; without, it runs as in inference",
    "rngs": "rng",
    "key": "rng",
    "mutable": ": the new state is the second of what it returns",
    "dtype": "precision",
}

if TYPE_CHECKING:
    from compose.core.layer import Layer
    from compose.summary import Diagram, Profile, Summary
    from compose.train.fit import fit as _fit


class Fit:
    """The method `fit`: `compose.train.fit` itself, with its signature and docstring, imported on first use."""

    def __get__(self, net: Any, owner: type | None = None) -> Callable:
        return hooks.fit if net is None else MethodType(hooks.fit, net)


class Methods:
    """The surface of every layer; `self` is the whole network."""

    if TYPE_CHECKING:
        fit = _fit
    else:
        fit = Fit()

        def __getattr__(self, name):
            advice = LAYER_ATTRIBUTES.get(name)
            text = f"{type(self).__name__!r} object has no attribute {name!r}" + (f"; {advice}" if advice else "")
            raise AttributeError(text, name=name, obj=self)

    def init(self: Any, key, *inputs) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draw parameters and state: two nested dicts of arrays.

        Args:
            key: a `jax.random.key`, or an int seed.
            inputs: arrays, `jax.ShapeDtypeStruct`s, or shapes without the batch axis: `784`, `(28, 28, 1)`. For inputs
                in half precision the parameters are in float32 too.

        Raises `LayerError` if a layer does not fit its input.
        """
        return hooks.init(self, key, *inputs)

    @helps_with_keywords(_APPLY_KEYWORDS)
    def apply(
        self: Any, params, state, *inputs, rng=None, train: bool = False, mask=None, precision: Any = None
    ) -> tuple[Any, Any]:
        """Run the network: `(output, state)`, a pure function of its arguments.

        Args:
            params, state: as `init` returns them.
            inputs: arrays, or tuples of arrays.
            rng: for layers that draw random numbers, such as dropout in training.
            train: whether this is a training step.
            mask: boolean `(batch, time)`, True at real steps, for recurrent and attention layers.
            precision: `"bfloat16"` or `"float16"` to compute in it: parameters and inputs are cast to it; the output,
                statistics, softmax and state are in float32. None computes in the dtype of the parameters.

        Raises `LayerError` if the input, the parameters or the rng do not fit.
        """
        return hooks.apply(self, params, state, *inputs, rng=rng, train=train, mask=mask, precision=precision)

    def intermediates(self: Any, params, state, *inputs, mask=None) -> dict[str, Any]:
        """The output of every layer inside by path, in execution order, in inference mode.

        The iterations of a `repeat` are `repeat_0/0`, `repeat_0/1`, ...
        """
        return hooks.intermediates(self, params, state, *inputs, mask=mask)

    def out(self: Any, *inputs) -> Any:
        """The output shape, computed without arrays; without the batch axis if the input has none.

        >>> from compose import fc, relu
        >>> fc(250, relu).out(784)
        (250,)
        """
        return hooks.out(self, *inputs)

    def summary(self: Any, *inputs) -> Summary:
        """A table of paths, output shapes, parameters and FLOPs (of one example for a shape without a batch axis)."""
        return hooks.summary(self, *inputs)

    def profile(self: Any, params, state, *inputs, gradient: bool = False, mask=None, precision: Any = None) -> Profile:
        """A table of how long each layer takes, its FLOPs, and how much of the machine's measured peak that is.

        Each layer is compiled by itself and run on its real input; the total is compared with the whole network. What
        XLA saves by fusing neighbours shows in the difference.

        Args:
            params, state, inputs, mask, precision: as in `apply`.
            gradient: measure a training step's forward pass and gradient, by parameters and, but for the first layer,
                by inputs. Without it, inference.

        Raises `LayerError` if the input or the parameters do not fit.
        """
        return hooks.profile(self, params, state, *inputs, gradient=gradient, mask=mask, precision=precision)

    def diagram(self: Any, *inputs, depth: int | None = None) -> Diagram:
        """The network drawn as boxes and arrows: as text it is Mermaid, in a notebook and in `.svg` an image.

        Args:
            inputs: as in `summary`.
            depth: layers deeper than so many levels are drawn as part of the one that they are in; None draws all.
        """
        return hooks.diagram(self, *inputs, depth=depth)

    def replace(self: Any, path: str, new: Any) -> Layer:
        """The network with another layer at `path` (`"block/e1"`); the new layer keeps the key."""
        return hooks.replace(self, path, new)

    def map(self: Any, fn: Callable[[str, Layer], Any]) -> Layer:
        """The network with every layer replaced by `fn(path, layer)`, innermost first; its own path is `""`."""
        return hooks.map(self, fn)

    def trainable(self: Any, params) -> Any:
        """A tree of booleans like `params`, False for what is `frozen`: a mask for `optax.masked`."""
        return hooks.trainable(self, params)

    def __getitem__(self: Any, at: int | str | slice) -> Layer:
        """A layer by path or position, or a slice of a sequence, which keeps the keys of the whole sequence."""
        return hooks.select(self, at)

    def __call__(self: Any, *xs) -> Any:
        """A step of the graph being traced, or, for a layer without parameters, its value."""
        for x in xs:
            if hasattr(type(x), "__compose_step__"):
                return x.__compose_step__(self, xs)
        return hooks.call(self, *xs)

    def __rshift__(self, other: Liftable) -> Layer:
        return hooks.chain(self, other)

    def __rrshift__(self, other: Liftable) -> Layer:
        return hooks.chain(other, self)

    def __add__(self, other: Liftable) -> Layer:
        return hooks.join("add", self, other)

    def __radd__(self, other: Liftable) -> Layer:
        return hooks.join("add", other, self)

    def __mul__(self, other: Liftable) -> Layer:
        return hooks.join("multiply", self, other)

    def __rmul__(self, other: Liftable) -> Layer:
        return hooks.join("multiply", other, self)

    def __repr__(self: Any) -> str:
        return hooks.source(self)

    def _repr_html_(self: Any) -> str:
        return hooks.html(self)


Liftable = Methods | Callable[..., Any] | str  # what `as_layer` makes a layer of
