"""Errors that name the layer, what it expected, what it got and a likely fix."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import jax


class ComposeError(Exception):
    """The base of every error that this package raises on purpose."""


class LayerError(ComposeError, ValueError):
    """A layer that cannot be built, planned or run.

    A layer raises it with `expected`, `got` and `hint`; the plan adds the layer and its input, and each
    enclosing combinator adds its part of the path and the shapes up to there.
    """

    def __init__(self, expected: str = "", got: str = "", hint: str = ""):
        super().__init__(expected)
        self.expected, self.got, self.hint = expected, got, hint
        self.path: tuple[str, ...] = ()
        self.layer: Any = None
        self.trail: tuple[tuple[str, Any], ...] = ()

    def locate(self, layer, x=None, path: tuple[str, ...] = ()) -> LayerError:
        """Set the layer, if none is set yet."""
        if self.layer is None:
            self.layer, self.path = layer, path or self.path
            if x is not None and not self.got:
                self.got = f"an input of {shape_text(x)}"
        return self

    def enter(self, key: str, trail) -> LayerError:
        """Prefix the path with `key` and the trail with the shapes up to there."""
        self.path = (key, *self.path)
        inner = ((f"{key}/{k}", x) for k, x in self.trail if k != "input")
        self.trail = (*trail, *inner)
        return self

    def __str__(self) -> str:
        where = "/".join(self.path) or (self.layer.kind if self.layer is not None else "")
        message = f"expected {self.expected}" + (f", got {self.got}" if self.got else "")
        lines = [f"{where}: {message}" if where else message]
        rows: list[tuple[str, str]] = []
        if self.layer is not None:
            rows += [("layer", _brief(str(self.layer)))]
            rows += [("built at", self.layer.built_at)] if self.layer.built_at else []
        if self.trail:
            rows.append(("shapes", " → ".join(f"{k} {shape_text(x)}" for k, x in self.trail)))
        rows += [("fix", self.hint)]
        return "\n".join(lines + [f"  {label:<8} {text}" for label, text in rows if text])


class ShapeError(LayerError):
    """An input of the wrong rank or size."""


class DtypeError(LayerError):
    """An input of the wrong dtype."""


class MissingRng(LayerError):
    """A layer draws random numbers and `apply` was given no rng."""


class ParamsError(LayerError):
    """Parameters or state that do not match the network."""


class ConfigError(LayerError):
    """An argument that a layer does not accept."""


class ParseError(ComposeError, ValueError):
    """Text that is not an expression of this language."""


class FileError(ComposeError, ValueError):
    """A model file that is damaged, modified, or in another format."""


class PortError(ComposeError, ValueError):
    """A model that cannot be ported, or whose port could not be verified."""


class DataError(ComposeError, ValueError):
    """Examples or labels that cannot be trained on."""


def shape_text(x) -> str:
    """`(32, 784)`, with the dtype unless it is float32, or a tuple of these for several arrays."""
    if isinstance(x, (tuple, list)):
        return "(" + ", ".join(shape_text(part) for part in x) + ")"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k}: {shape_text(v)}" for k, v in x.items()) + "}"
    if not hasattr(x, "shape"):
        return repr(x)
    dtype = "" if str(x.dtype) == "float32" else f" {x.dtype}"
    return f"{tuple(x.shape)}{dtype}"


def expect_rank(x, rank: int | Container[int], layout: str, hint: str = "") -> None:
    """Raise `ShapeError` unless `x` is one array of that rank; `layout` names its axes in the error."""
    ranks = range(rank, rank + 1) if isinstance(rank, int) else rank
    if not isinstance(x, jax.ShapeDtypeStruct) and not hasattr(x, "ndim"):
        raise ShapeError(f"one array {layout}", f"{len(jax.tree.leaves(x))} arrays {shape_text(x)}", hint)
    if x.ndim not in ranks:
        raise ShapeError(f"an array {layout}", f"shape {shape_text(x)}", hint)


def expect_float(x, hint: str = "") -> None:
    """Raise `DtypeError` unless `x` is floating point: bytes are almost always unscaled images."""
    if not jax.numpy.issubdtype(x.dtype, jax.numpy.inexact):
        images = x.dtype == "uint8" or x.ndim > 3
        cast = "scale the data first, as in images.astype('float32') / 255" if images else "use x.astype('float32')"
        raise DtypeError(
            "a floating-point input",
            f"shape {tuple(x.shape)}, {x.dtype}",
            hint or cast,
        )


def _brief(text: str, limit: int = 200) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
