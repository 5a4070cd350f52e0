"""Losses: a name, or any function of (predictions, targets), such as optax's.

A named loss checks its targets against the network's output before anything is compiled. Shapes that would
broadcast silently are an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError, DataError, shape_text
from compose.train.by_name import unknown
from compose.train.logits import Outputs


@dataclass(frozen=True)
class Loss:
    """A loss that `fit` can use.

    Attributes:
        name: its name in the history and in errors.
        fn: `fn(predictions, targets)`, a scalar, or an array whose mean is the loss.
        over: None for a loss on outputs. For a loss on logits, how they become probabilities: softmax over
            "classes" or sigmoid over "elements". If the network ends in that activation, it is skipped for
            the loss, so that it is never applied twice.
        own: whether it is a user's function, whose targets are not checked.
    """

    name: str
    fn: Callable
    over: str | None = None
    own: bool = False

    def predictions(self, outputs: Outputs) -> Any:
        """The loss's first argument: logits or outputs, in float32 or wider."""
        y = outputs.value if self.over is None else outputs.logits(self.over)
        return jax.tree.map(widen, y)

    def __call__(self, predictions, targets) -> Any:
        return jnp.mean(self.fn(predictions, targets))


def cross_entropy(logits, targets):
    """`-log softmax(logits)[target]`; targets are integer labels or distributions (one-hot)."""
    if targets.ndim == logits.ndim:
        return optax.softmax_cross_entropy(logits, targets.astype(logits.dtype))
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets)


def binary_cross_entropy(logits, targets):
    """`-t log p - (1 - t) log(1 - p)` with `p = sigmoid(logits)`."""
    return optax.sigmoid_binary_cross_entropy(logits, targets.astype(logits.dtype))


def mse(predictions, targets):
    """The mean of `(prediction - target)²`, as in Keras and torch; optax's `l2_loss` is half that."""
    return jnp.square(predictions - targets)


def mae(predictions, targets):
    """The mean of `|prediction - target|`."""
    return jnp.abs(predictions - targets)


def huber(predictions, targets):
    """Half the squared error up to an error of 1, linear beyond (Huber, 1964)."""
    return optax.huber_loss(predictions, targets)


def log_cosh(predictions, targets):
    """`log(cosh(prediction - target))`."""
    return optax.log_cosh(predictions, targets)


def hinge(predictions, targets):
    """`max(0, 1 - prediction · target)` for targets of -1 and 1."""
    return optax.hinge_loss(predictions, targets)


def poisson(predictions, targets):
    """`prediction - target · log(prediction)`, for predicted rates and observed counts."""
    return predictions - targets * jnp.log(predictions + 1e-7)


LOSSES = {
    "mse": Loss("mse", mse),
    "mae": Loss("mae", mae),
    "huber": Loss("huber", huber),
    "log_cosh": Loss("log_cosh", log_cosh),
    "cross_entropy": Loss("cross_entropy", cross_entropy, "classes"),
    "binary_cross_entropy": Loss("binary_cross_entropy", binary_cross_entropy, "elements"),
    "hinge": Loss("hinge", hinge),
    "poisson": Loss("poisson", poisson),
}

_OPTAX = {  # these take logits too, so a final softmax must be skipped
    optax.softmax_cross_entropy: "cross_entropy",
    optax.softmax_cross_entropy_with_integer_labels: "cross_entropy",
    optax.sigmoid_binary_cross_entropy: "binary_cross_entropy",
}


def loss_of(loss: Any) -> Loss:
    """The loss for a name or a function. Raises `ConfigError` for anything else."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if callable(loss):
        return LOSSES[_OPTAX[loss]] if loss in _OPTAX else Loss(getattr(loss, "__name__", "loss"), loss, own=True)
    raise unknown("a loss", loss, LOSSES, "a function of (predictions, targets)")


def check_targets(loss: Loss, out: Any, y: Any) -> None:
    """Raise `DataError` or `ConfigError` unless the loss can compare targets `y` with outputs shaped as `out`."""
    if len(jax.tree.leaves(out)) > 1 or len(jax.tree.leaves(y)) > 1:
        if not loss.own:
            raise ConfigError(
                f"one output and one array of targets for {loss.name}", f"outputs {shape_text(out)}",
                "give loss=lambda outputs, targets: ... for several",
            )  # fmt: skip
        return
    (out,), (y,) = jax.tree.leaves(out), jax.tree.leaves(y)
    want, got = out.shape[1:], y.shape[1:]
    if loss.over == "classes":
        _check_classes(out, y)
    elif want != got and (not loss.own or _squeezed(want) == _squeezed(got)):
        hint = "y[:, None] adds the axis" if (*got, 1) == want else ("y[:, 0]" if (*want, 1) == got else "")
        raise DataError(
            f"targets must have the shape of the outputs, {_batch(want)}, for {loss.name}; got {_batch(got)}"
            + (f" ({hint})" if hint else "")
        )
    if loss.over == "elements" and (y.min() < 0 or y.max() > 1):
        raise DataError(f"targets for {loss.name} must be between 0 and 1; they range from {y.min()} to {y.max()}")


def _check_classes(out, y) -> None:
    classes = out.shape[-1] if len(out.shape) > 1 else 0
    labels, one_hot = out.shape[1:-1], out.shape[1:]
    if classes < 2:
        raise ConfigError(
            "two or more outputs for cross_entropy", f"outputs {_batch(one_hot)}",
            "for a single probability, use binary_cross_entropy",
        )  # fmt: skip
    if y.shape[1:] == one_hot:
        return
    if y.shape[1:] != labels:
        hint = "; y[:, 0] removes the axis" if y.shape[1:] == (*labels, 1) else ""
        raise DataError(
            f"targets must be labels {_batch(labels)} or one-hot {_batch(one_hot)} for cross_entropy; "
            f"got {_batch(y.shape[1:])}{hint}"
        )
    if not jnp.issubdtype(y.dtype, jnp.integer):
        raise DataError(f"labels must be integers; got {y.dtype} (use y.astype(int) if they are integral)")
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"labels must be between 0 and {classes - 1}, one for each output; they range from {low} to {high}"
        )


def widen(y) -> Any:
    """Cast half precision to float32; leave the rest unchanged."""
    return y.astype(jnp.promote_types(y.dtype, jnp.float32)) if jnp.issubdtype(y.dtype, jnp.floating) else y


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _batch(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, ("n", *shape))) + ("" if shape else ",") + ")"
