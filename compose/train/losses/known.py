"""The loss that a name or a function means, and which functions of other libraries take logits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.layers.activation.softmax import log_softmax
from compose.train import losses
from compose.train.by_name import of_another_library, unknown
from compose.train.logits import Outputs
from compose.train.losses.loss import Loss, Over

LOSSES: dict[str, Loss] = {name: getattr(losses, name) for name in losses.__all__ if name != "Loss"}

_OURS = {  # these are ours under another name
    optax.softmax_cross_entropy: losses.cross_entropy,
    optax.softmax_cross_entropy_with_integer_labels: losses.cross_entropy,
    optax.sigmoid_binary_cross_entropy: losses.binary_cross_entropy,
}
_TAKES: dict[Callable, Over] = {
    optax.losses.poly_loss_cross_entropy: "classes",
    optax.losses.safe_softmax_cross_entropy: "classes",
    optax.losses.multiclass_hinge_loss: "classes",
    optax.losses.multiclass_perceptron_loss: "classes",
    optax.losses.multiclass_sparsemax_loss: "classes",
    optax.losses.ranking_softmax_loss: "classes",
    optax.losses.dice_loss: "classes",
    optax.losses.multiclass_generalized_dice_loss: "classes",
    optax.losses.sigmoid_focal_loss: "elements",
    optax.losses.sparsemax_loss: "elements",
    optax.losses.binary_dice_loss: "elements",
    optax.losses.hinge_loss: "scores",
    optax.losses.perceptron_loss: "scores",
}
_LOGARITHMS = (optax.kl_divergence, optax.convex_kl_divergence)  # these take logarithms of probabilities
_APPLIES_IT = ("apply_softmax", "apply_sigmoid")  # without it, these take probabilities


def loss_of(loss: Any) -> Loss:
    """The loss for a name or a function. Raises `ConfigError` for anything else."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if not callable(loss) or of_another_library(loss):
        raise unknown("a loss", loss, LOSSES, "a function of (predictions, targets)")
    plain = loss.func if isinstance(loss, functools.partial) else loss
    keywords = loss.keywords if isinstance(loss, functools.partial) else {}
    if _hashable(plain) and plain in _OURS and plain is loss:
        return _OURS[plain]
    over = _TAKES.get(plain, _OURS[plain].over if plain in _OURS else None) if _hashable(plain) else None
    if any(keywords.get(name) is False for name in _APPLIES_IT):
        over = None
    return Loss(getattr(plain, "__name__", "loss"), loss, over, own=True)


def said_to_take_logits(loss: Loss, outputs: Outputs, logits: bool | None, targets: Any) -> Loss:
    """A user's loss, on logits if they say so. Raises `ConfigError` if it seems to take them and they don't say."""
    if not loss.own and logits is not None:
        raise ConfigError(f"logits only for a loss of your own; {loss.name} is known", f"logits={logits}")
    if not loss.own or (loss.over is not None and logits is None):
        return loss
    if logits is not None:
        return replace(loss, over=(outputs.over or "scores") if logits else None)
    if loss.fn in _LOGARITHMS and outputs.over is not None and getattr(outputs.final, "fn", None) is not log_softmax.fn:
        raise ConfigError(
            f"a network that ends in log_softmax for optax.{loss.name}", f"a final {outputs.final}",
            'end the network in log_softmax, or use loss="kl"',
        )  # fmt: skip
    if loss.fn in _LOGARITHMS or not _seems_to_take_logits(loss, outputs.value, targets):
        return loss
    if outputs.over is not None:
        raise ConfigError(
            "logits=True or logits=False, since the network ends in "
            f"{outputs.final} and the loss computes with exponentials of its predictions",
            f"loss={loss.name}",
            f"logits=True gives it what enters the {outputs.final}, logits=False the probabilities",
        )
    return replace(loss, over="scores")


def _seems_to_take_logits(loss: Loss, outputs: Any, targets: Any) -> bool:
    """Whether it computes a softmax or a sigmoid, or a logarithm of exponentials."""
    predictions = jax.ShapeDtypeStruct(outputs.shape, jnp.promote_types(outputs.dtype, jnp.float32))
    try:
        program = jax.make_jaxpr(lambda p, t: loss.each(p, t))(predictions, targets)
    except Exception:  # the step says what is wrong
        return False
    used = set(_operations(program.jaxpr))
    named = {"logistic", "log_softmax", "softmax", "_softmax", "log_sigmoid", "softplus", "logaddexp", "logsumexp"}
    return bool(used & named) or ({"exp", "log"} <= used)


def _operations(jaxpr: Any) -> Iterator[str]:
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        if "name" in eqn.params:
            yield str(eqn.params["name"])
        for value in eqn.params.values():
            for part in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from _operations(inner)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
