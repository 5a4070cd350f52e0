"""Losses that run the network themselves: `loss(net, params, state, batch, rng)`.

For what is no comparison of outputs with targets: several passes, two views, terms inside the network.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Context
from compose.core.errors import ConfigError, LayerError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.train.distribution import ONE_DEVICE, Distribution
from compose.train.epoch import StepsPerCall, run_epoch
from compose.train.examples import Examples
from compose.train.train_step import evaluation_steps
from compose.train.weights import Weighted

ARGUMENTS = ("net", "params", "state", "batch", "rng")


def is_custom(loss: Any) -> bool:
    """Whether a loss is a function of five or six arguments, which a function of (predictions, targets) never is."""
    return len(_needed(loss)) in (5, 6) if callable(loss) and not isinstance(loss, (str, type)) else False


def _needed(loss: Any) -> list[str]:
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional and p.default is p.empty]


@dataclass(frozen=True)
class CustomScores:
    """The scores of such a loss: its value, and the numbers that it returns by name. In the place of `Scores`."""

    fn: Callable
    train: bool  # whether the function takes `train` as its sixth argument
    names: tuple[str, ...]
    heads = ()
    grow = False

    def compute(self, net: Layer, params: Any, state: Any, x: Any, y: Any, ctx: Context, dtype: Any) -> Any:
        """The loss of a batch, the state after it, and what `add` takes."""
        rng = jax.random.key(0) if ctx.key is None else ctx.key
        batch = x if y is None else (x, y)
        value, after, named = parts(self.fn(net, params, state, batch, rng, *((ctx.train,) if self.train else ())))
        count = jax.tree.leaves(x)[0].shape[0]
        return value, state if after is None else after, (count, {"loss": value, **named})

    def start(self, count: int) -> Any:
        return {name: jnp.zeros((), float) for name in self.names}

    def add(self, sums: Any, found: Any) -> Any:
        count, named = found
        return {name: total + count * named[name].astype(float) for name, total in sums.items()}

    def result(self, sums: Any, examples: int, live: bool = False) -> dict[str, float]:
        return {name: float(sums[name]) / max(examples, 1) for name in self.names}


class CustomScoring:
    """In the place of `Scoring` for a loss that runs the network itself. Raises `ConfigError` if it cannot."""

    def __init__(self, net: Layer, inputs: Any, data: Examples, loss: Callable,
                 distribution: Distribution = ONE_DEVICE, **options: Any):  # fmt: skip
        options["sample_weight"] = data.y.weights if isinstance(data.y, Weighted) else None
        for name, value in options.items():
            if value is not None and value != ():
                raise ConfigError(
                    f"no {name} with a loss of ({', '.join(ARGUMENTS)})", repr(value),
                    "such a loss runs the network itself, and can return numbers by name as its third value",
                )  # fmt: skip
        self.net, self.dtype, self.distribution = net, None, distribution
        takes_train = len(_needed(loss)) == 6
        try:
            planned = plan(net, inputs)
        except LayerError as e:
            e.hint = (
                e.hint or "if the network's input is not x, inputs= says what it is, as in inputs=(spec(64), spec(4))"
            )
            raise
        targets = jax.tree.map(lambda a: jax.ShapeDtypeStruct((2, *a.shape[1:]), _dtype(a)), data.y)
        batch = data.specs(2) if data.y is None else (data.specs(2), targets)
        rng = jax.eval_shape(lambda: jax.random.key(0))
        flags = (True,) if takes_train else ()
        run = lambda params, state, batch, rng: parts(loss(net, params, state, batch, rng, *flags))
        value, after, named = jax.eval_shape(run, planned.param_specs(), planned.state_specs(), batch, rng)
        if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ConfigError(
                "a loss that is one number", f"shape {value.shape} of {value.dtype}", "jnp.mean makes one"
            )
        states = planned.state_specs()
        if after is not None and jax.tree.structure(after) != jax.tree.structure(states):
            raise ConfigError("the second value of the loss to be the network's state, or None", str(after)[:200])
        for name, number in named.items():
            if number.shape != () or name == "loss":
                raise ConfigError("a dict of single numbers, not named loss, as the third value", f"{name}: {number}")
        self.scores = CustomScores(loss, takes_train, ("loss", *named))

    def check(self, data: Any, what: str = "") -> None:
        """Nothing is known of the targets."""

    def check_end(self, data: Any, params: Any, state: Any) -> None:
        """Nothing is known of the outputs."""

    def numbers_only(self) -> None:
        """All scores are numbers."""

    def with_class_weight(self, data: Any, given: Any) -> Any:
        if given is not None:
            raise ConfigError("no class_weight with a loss that runs the network itself", repr(given))
        return data

    @functools.cached_property
    def _steps(self) -> Any:
        return evaluation_steps(self.net, self.scores, None, self.distribution)

    def measure(
        self,
        params: Any,
        state: Any,
        batches: Any,
        compiling: Callable = nullcontext,
        advance: Callable[[int], None] = lambda examples: None,
    ) -> dict[str, Any]:
        """The loss and its numbers over all batches, with the same key for each."""
        scores: Any = self.scores
        pace = StepsPerCall(self.distribution.of_first)
        return run_epoch(self._steps, (), (params, state), batches, scores, compiling, pace, advance)[1]


def parts(returned: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The loss, the state or None, and the numbers by name of what a function returned. Raises `ConfigError`."""
    value, state, named = returned if isinstance(returned, tuple) and len(returned) == 3 else (
        (*returned, {}) if isinstance(returned, tuple) and len(returned) == 2 else (returned, None, {})
    )  # fmt: skip
    if not hasattr(value, "shape") or not isinstance(named, dict):
        raise ConfigError(
            "a loss that returns a number; or (number, state); or (number, state, {name: number})",
            str(jax.tree.map(jnp.shape, returned))[:200],
        )  # fmt: skip
    return value, state, {name: jnp.asarray(number) for name, number in named.items()}


def _dtype(a: Any) -> Any:
    return jax.dtypes.canonicalize_dtype(np.dtype(a.dtype))
