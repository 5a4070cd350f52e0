"""Normalisation by constants of the data, and its inverse for targets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any, overload

import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, DataError, DtypeError, ShapeError
from compose.core.hooks import hooks
from compose.core.layer import Layer, layer, unlisted
from compose.core.precision import HALF, wide
from compose.layers.norm.local import as_float
from compose.layers.window import along_channels, channel_axis

__all__ = ["standardize", "unstandardize"]


class FitToData:
    """`fit` of a class makes a layer from data; `fit` of a layer trains it, as that of every layer."""

    @overload
    def __get__(self, net: None, owner: Any) -> Callable[..., standardize]: ...
    @overload
    def __get__(self, net: Layer, owner: Any) -> Callable[..., Any]: ...
    def __get__(self, net: Any, owner: Any = None) -> Any:
        return functools.partial(fitted, owner) if net is None else MethodType(hooks.fit, net)


@unlisted
class OfConstants(Layer):
    """A mean and a std for all channels, or for each; fields as in `standardize`."""

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]
    channels_first: bool = False

    def validate(self):
        if min(np.atleast_1d(self.std)) <= 0:
            raise ConfigError("a std above 0", str(self.std))

    def constants(self, x: Any) -> tuple[Any, Any]:
        """The mean and the std in the dtype and with the axes of `x`. Raises `ShapeError`."""
        if isinstance(self.mean, tuple) or isinstance(self.std, tuple):
            channels = x.shape[channel_axis(x, self.channels_first)]
            if any(isinstance(v, tuple) and len(v) != channels for v in (self.mean, self.std)):
                raise ShapeError(f"a mean and a std for each of {channels} channels", f"{self.mean}, {self.std}")
        put = lambda v: along_channels(np.asarray(v, x.dtype), x, self.channels_first)
        return put(self.mean), put(self.std)


@layer
class standardize(OfConstants):
    """`(x - mean) / std`, with given constants per channel.

    Shapes: `(batch, ..., channels)`, unchanged.
    Elsewhere: Keras `Normalization(mean=, variance=)`, whose variance is our std squared; torchvision `Normalize`;
    scikit-learn `StandardScaler`.

    `standardize.fit(x)` takes the constants from data `(n, ..., channels)`: an array or a table of numbers. As part of
    the network they are in its text and its file, so that `predict` takes raw input. A channel that does not vary has
    std 1. Raises `DataError` for what is not finite numbers, or varies too little for float32.

    >>> from compose import standardize
    >>> standardize.fit([[1.0, 10.0], [3.0, 10.0]])
    standardize((2.0, 10.0), (1.0, 1.0))

    Args:
        mean, std: a number, or one per channel.
        channels_first: the input is `(batch, channels, ...)`.
    """

    fit = FitToData()  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]

    @property
    def inverse(self) -> unstandardize:
        """`x · std + mean`: what undoes this layer."""
        return unstandardize(self.mean, self.std, self.channels_first)

    def forward(self, p, x, ctx):
        if x.dtype in HALF:
            self._expect_resolved(x.dtype)
        x = as_float(x)
        mean, std = self.constants(x)
        return (x - mean) / std

    def _expect_resolved(self, dtype: Any) -> None:
        """Raise if numbers near the mean are so far apart in `dtype` that they do not tell inputs apart."""
        mean, std = np.broadcast_arrays(np.abs(self.mean), self.std)
        eps, most = float(jnp.finfo(dtype).eps), float(jnp.finfo(dtype).max)
        for m, s in zip(np.ravel(mean), np.ravel(std)):
            if m * eps > s or m + 4 * s > most:
                raise DtypeError(
                    "an input in float32", f"{dtype}, too coarse for values of {m:g} ± {s:g}",
                    "in half precision, inputs are cast before the network: normalise the examples themselves",
                )  # fmt: skip


@layer
class unstandardize(OfConstants):
    """`x · std + mean`, the inverse of `standardize`: as the last layer, it answers in the unit of the target.

    `standardize.fit(y).inverse` has the constants of targets `y`. Where it is the very last layer, `fit` computes the
    losses `mse`, `mae`, `huber`, `log_cosh` and `quantile` before it, on targets normalised in the same way, and
    metrics after it, so that `rmse` is in the unit of the target.

    Shapes: `(batch, ..., channels)`, unchanged. Half precision becomes float32.
    Elsewhere: Keras `Normalization(invert=True)`, scikit-learn `StandardScaler.inverse_transform`.

    Args:
        mean, std: a number, or one per channel.
        channels_first: the input is `(batch, channels, ...)`.
    """

    @property
    def inverse(self) -> standardize:
        """`(x - mean) / std`: what undoes this layer."""
        return standardize(self.mean, self.std, self.channels_first)

    def forward(self, p, x, ctx):
        x = wide(as_float(x))
        mean, std = self.constants(x)
        return x * std + mean


def fitted(cls: Any, x: Any, channels_first: bool = False) -> Any:
    """See `standardize`."""
    x = np.asarray(x)
    if x.dtype.kind not in "biuf" and not jnp.issubdtype(x.dtype, jnp.floating):
        raise DataError(f"expected numbers to take a mean of, got {x.dtype}")
    if x.size == 0:
        raise DataError(f"no examples to take a mean of: an array of shape {x.shape}")
    at = None if x.ndim < 2 else 1 if channels_first else x.ndim - 1
    over = tuple(i for i in range(x.ndim) if i != at)
    mean, std = (np.atleast_1d(f(x, over, dtype=np.float64)) for f in (np.mean, np.std))
    vary = np.atleast_1d(x.min(over) != x.max(over))
    for i, (m, s) in enumerate(zip(mean, std)):
        where = f"channel {i} of {len(mean)}" if at is not None else "the data"
        if not np.isfinite(m) or not np.isfinite(s):
            raise DataError(f"{where} has values that are NaN or infinite; drop these examples or fill in the values")
        if vary[i] and s < 1e-6 * abs(m) and jnp.result_type(float) == jnp.float32:
            raise DataError(f"{where} varies by {s:g} around {m:g}, which float32 does not resolve; subtract an origin")
    std = np.where(vary, std, 1.0)
    one = lambda a: short(a[0]) if len(a) == 1 else tuple(map(short, a))
    return cls(one(mean), one(std), channels_first)


def short(value: float) -> float:
    """The shortest number that is the same in float32; the number itself if that is none above 0 or finite."""
    cut = float(str(np.float32(value))) if abs(value) < float(np.finfo(np.float32).max) else value
    return cut if cut or not value else float(value)
