"""A loss: a name, a function of (predictions, targets), and what both must be."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp

from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.train.logits import Outputs

Over = Literal["classes", "elements", "scores"] | None
Targets = Literal["alike", "classes", "distribution", "sequence", "pairs", "none", "free"]


@dataclass(frozen=True)
class Loss:
    """A loss that `fit` can use. Called with options it returns a copy that has them, with arrays it computes the mean.

    >>> from compose import losses
    >>> losses.huber(delta=2.0)
    huber(delta=2.0)

    Attributes:
        name: its name in errors.
        fn: `fn(predictions, targets, **options)`: a value for each example, or for each of its elements.
        over: None for a loss on outputs. For a loss on logits, how they become probabilities: softmax over
            "classes" or sigmoid over "elements". If the network ends in that activation, it is skipped for the loss, so
            that it is never applied twice. "scores" are margins, which are no probabilities.
        targets: what the targets must be.
        own: whether it is a user's function.
        errors: whether it is a loss of errors, `prediction - target`, which can be in a normalised unit.
        options: the options given, by name.
    """

    name: str
    fn: Callable
    over: Over = None
    targets: Targets = "free"
    own: bool = False
    errors: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    def predictions(self, outputs: Outputs) -> Any:
        """The loss's first argument: logits or outputs, in float32 or wider."""
        y = outputs.value if self.over is None else outputs.logits(self.over)
        return jax.tree.map(widen, y)

    def each(self, predictions, targets, real=None) -> Any:
        """The value for each example or element, before averaging."""
        if self.takes_mask:
            return self.fn(predictions, targets, real, **dict(self.options))
        return self.fn(predictions, targets, **dict(self.options))

    def normalised(self, outputs: Outputs, predictions: Any, targets: Any) -> tuple[Any, Any]:
        """Predictions and targets as the loss compares them: before a final `unstandardize`, if it is of errors."""
        if not self.errors or outputs.normalised is None:
            return predictions, targets
        last, before = outputs.normalised
        return widen(before), last.inverse.forward({}, targets.astype(predictions.dtype), Context())

    @property
    def takes_mask(self) -> bool:
        """Whether the function itself leaves out the padded steps."""
        return self.targets == "sequence"

    @property
    def title(self) -> str:
        """Its name in the history, where it is measured as a metric."""
        return self.name

    def __call__(self, *arrays: Any, **options: Any) -> Any:
        configured = self.but(**options) if options else self
        return jnp.mean(configured.each(*arrays)) if arrays else configured

    def but(self, **options: Any) -> Loss:
        """A copy with other options. Raises `ConfigError` for one that it does not have."""
        known = [p.name for p in inspect.signature(self.fn).parameters.values() if p.kind is p.KEYWORD_ONLY]
        unknown = [name for name in options if name not in known]
        if unknown:
            takes = f"the options {', '.join(known)}" if known else "no options"
            raise ConfigError(f"{takes} for the loss {self.name}", ", ".join(unknown))
        return replace(self, options=tuple(({**dict(self.options), **options}).items()))

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options)
        return f"{self.name}({options})" if options else self.name


@overload
def loss(fn: Callable, /) -> Loss: ...
@overload
def loss(*, over: Over = None, targets: Targets = "alike", errors: bool = False) -> Callable[[Callable], Loss]: ...
def loss(fn: Any = None, /, *, over: Over = None, targets: Targets = "alike", errors: bool = False) -> Any:
    """Make a function of (predictions, targets, *, options) a `Loss` of that name."""
    if fn is None:
        return functools.partial(loss, over=over, targets=targets, errors=errors)
    made = Loss(fn.__name__, fn, over, targets, errors=errors)
    object.__setattr__(made, "__doc__", fn.__doc__)
    return made


def widen(y) -> Any:
    """Cast half precision to float32; leave the rest unchanged."""
    return y.astype(jnp.promote_types(y.dtype, jnp.float32)) if jnp.issubdtype(y.dtype, jnp.floating) else y
