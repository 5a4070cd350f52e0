"""Checks of targets against a network's output and a loss, before anything is compiled."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, DataError, shape_text
from compose.train.losses.loss import Loss


def check_targets(loss: Loss, out: Any, y: Any, ignore: int | None = None, batch: bool = False) -> None:
    """Raise `DataError` or `ConfigError` unless the loss can compare targets `y` with outputs shaped as `out`.

    Targets equal to `ignore` may have any value; all those of a `batch` may be.
    """
    several = len(jax.tree.leaves(out)) > 1 or len(jax.tree.leaves(y)) != 1
    if loss.targets in ("pairs", "none") and ignore is None:
        return _check_several(loss, out, y)
    if y is None and not loss.own:
        raise ConfigError(
            f"targets for the loss {loss.name}", "none: y is None", "fit(x, y, ...), or a stream of (x, y)"
        )
    if several:
        if not loss.own and ignore is None:
            raise ConfigError(
                f"one output and one array of targets for {loss.name}",
                f"outputs {shape_text(out)} and {len(jax.tree.leaves(y))} arrays of targets",
                'give several outputs a loss each, as in loss={"name": "mse", ...}, or loss=lambda outputs, targets: '
                "...; weights of examples are sample_weight",
            )
        if ignore is not None:
            raise ConfigError("ignore_label only for one output and one array of targets", f"ignore_label={ignore}")
        return None
    (out,), (y,) = jax.tree.leaves(out), jax.tree.leaves(y)
    counted = _counted(y, ignore, batch)
    if loss.targets in ("classes", "distribution"):
        return _check_classes(loss, out, y, counted)
    if loss.targets == "sequence":
        return _check_sequence(loss, out, y)
    want, got = out.shape[1:], y.shape[1:]
    if want != got and (not loss.own or _squeezed(want) == _squeezed(got)):
        hint = "y[:, None] adds the axis" if (*got, 1) == want else ("y[:, 0]" if (*want, 1) == got else "")
        if hint and loss.over == "elements" and got == () and not loss.own:
            hint += "; for labels 0 and 1 as they are, end the network in fc(2, softmax) and use cross_entropy"
        raise DataError(
            f"targets must have the shape of the outputs, {_batch(want)}, for {loss.name}; got {_batch(got)}"
            + (f" ({hint})" if hint else "")
        )
    if loss.over == "classes" and got == out.shape[1:-1] and jnp.issubdtype(y.dtype, jnp.integer):
        _check_labels(counted, out.shape[-1])
    if loss.over == "elements" and (counted.min() < 0 or counted.max() > 1):
        low, high = counted.min(), counted.max()
        raise DataError(f"targets for {loss.name} must be between 0 and 1; they range from {low} to {high}")
    if loss.over == "scores" and not loss.own and not among(counted, (0, 1)) and not among(counted, (-1, 1)):
        low, high = counted.min(), counted.max()
        raise DataError(f"targets for {loss.name} must be -1 and 1, or 0 and 1; they range from {low} to {high}")


def among(y: Any, values: tuple[float, float]) -> bool:
    """Whether all numbers in an array are one of two."""
    return bool(((y == values[0]) | (y == values[1])).all())


def sums_to_1(y: Any) -> bool:
    """Whether the numbers along the last axis are distributions."""
    return bool((y >= 0).all()) and bool((abs(y.astype(float).sum(-1) - 1) <= 1e-3).all())


def _counted(y: Any, ignore: int | None, batch: bool) -> Any:
    if ignore is None:
        return y
    counted = y[y != ignore]
    if counted.size == 0 and batch:
        return np.zeros(1, y.dtype)  # which fits every loss
    if counted.size == 0:
        raise DataError(f"all targets are {ignore}, the ignore_label")
    return counted


def _check_several(loss: Loss, out: Any, y: Any) -> None:
    wanted = 2 if loss.targets == "pairs" else 3
    parts = jax.tree.leaves(out)
    if not isinstance(out, tuple) or len(parts) != wanted or any(p.shape != parts[0].shape for p in parts):
        raise ConfigError(f"a tuple of {wanted} outputs of one shape (n, size) for {loss.name}", shape_text(out))
    if loss.targets == "none":
        return
    arrays = jax.tree.leaves(y)
    if len(arrays) != 1 or arrays[0].shape[1:] != parts[0].shape[1:-1] or not among(arrays[0], (0, 1)):
        raise DataError(f"targets for {loss.name} must be 0 or 1 for each pair, (n,); got {shape_text(y)}")


def _check_sequence(loss: Loss, out: Any, y: Any) -> None:
    if len(out.shape) != 3 or y.ndim != 2 or not jnp.issubdtype(y.dtype, jnp.integer):
        raise DataError(
            f"{loss.name} takes outputs (n, time, classes) and integer targets (n, length); got "
            f"outputs {_batch(out.shape[1:])} and targets {_batch(y.shape[1:])} {y.dtype}"
        )
    if int(y.max()) >= out.shape[-1]:
        raise DataError(f"labels must be below {out.shape[-1]}, the number of outputs; the largest is {int(y.max())}")
    _check_lengths(dict(loss.options).get("blank", 0), out.shape[1], np.asarray(y))


def _check_lengths(blank: int, steps: int, y: np.ndarray) -> None:
    """Raise `DataError` for labels that no alignment with so many steps has: equal neighbours need a blank between."""
    real = (y >= 0) & (y != blank)
    needed = real.sum(1) + (real[:, 1:] & real[:, :-1] & (y[:, 1:] == y[:, :-1])).sum(1)
    at = int(needed.argmax())
    if needed[at] > steps:
        raise DataError(
            f"ctc needs a step for each label, and one between equal labels; y[{at}] needs {needed[at]} steps, and the "
            f"outputs have {steps}"
        )


def _check_classes(loss: Loss, out: Any, y: Any, counted: Any) -> None:
    classes = out.shape[-1] if len(out.shape) > 1 else 0
    labels, one_hot = out.shape[1:-1], out.shape[1:]
    if classes < 2:
        raise ConfigError(
            f"two or more outputs for {loss.name}", f"outputs {_batch(one_hot)}",
            "for a single probability, use binary_cross_entropy",
        )  # fmt: skip
    if y.shape[1:] == one_hot:
        if counted is not y:
            raise ConfigError("labels as targets with ignore_label", f"one-hot targets {_batch(one_hot)}")
        if not sums_to_1(y):
            raise DataError(
                f"targets {_batch(one_hot)} for {loss.name} must be one-hot, or probabilities that sum to 1 along the "
                f"last axis; the first are {y.reshape(-1, classes)[0].tolist()}"
            )
        return
    if loss.targets == "distribution":
        raise DataError(f"targets must be probabilities {_batch(one_hot)} for {loss.name}; got {_batch(y.shape[1:])}")
    if y.shape[1:] != labels:
        hint = "; y[:, 0] removes the axis" if y.shape[1:] == (*labels, 1) else ""
        raise DataError(
            f"targets must be labels {_batch(labels)} or one-hot {_batch(one_hot)} for {loss.name}; "
            f"got {_batch(y.shape[1:])}{hint}"
        )
    if not jnp.issubdtype(y.dtype, jnp.integer):
        raise DataError(f"labels must be integers; got {y.dtype} (use y.astype(int) if they are integral)")
    _check_labels(counted, classes)


def _check_labels(labels: Any, classes: int) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        padding = "; ignore_label leaves out one that marks padding" if low < 0 <= high < classes else ""
        raise DataError(
            f"labels must be between 0 and {classes - 1}, one for each output; they range from {low} to {high}{padding}"
        )


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _batch(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, ("n", *shape))) + ("" if shape else ",") + ")"
