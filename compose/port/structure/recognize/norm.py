"""Normalisations written out in means and roots, and the scale and bias that follow them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.layer import Layer
from compose.layers.learned import learned_bias, learned_scale
from compose.layers.norm.batch import layer_norm, rms_norm
from compose.layers.norm.group import instance_norm
from compose.layers.norm.local import unit_norm
from compose.port.ir.graph import Op
from compose.port.structure.recognize.match import Match
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.pattern import Pattern, Slot, Var
from compose.port.structure.recognize.rewrite import Replacement, Rewriter, rule
from compose.port.structure.recognize.words import SUM, VAR, clip, mean, reduced, rsqrt

_X = Var("x")
_CENTRED = _X - mean(_X)
_EPSILON = Slot("epsilon")
_VARIANCES = mean(_CENTRED * _CENTRED), reduced(VAR, _X), mean(_X * _X) - mean(_X) * mean(_X)


def _rms(match: Match, graph: Operations) -> Layer | None:
    axes = _last_axes(match, graph)
    return None if axes is None else _with_epsilon(rms_norm(scale=False), axes, match)


def _centred(match: Match, graph: Operations) -> Layer | None:
    """A layer norm over the last axes, or an instance norm over those between the first and the last."""
    axes = _last_axes(match, graph)
    if axes is not None:
        return _with_epsilon(layer_norm(scale=False, bias=False), axes, match)
    shape = graph.shape(match.values["x"])
    space = shape is not None and len(shape) > 2 and _axes(match, len(shape)) == tuple(range(1, len(shape) - 1))
    return _with_epsilon(instance_norm(scale=False, bias=False), 1, match) if space else None


def _unit(match: Match, graph: Operations) -> Layer | None:
    axis, epsilon = match.numbers["axis"], match.numbers["epsilon"]
    return unit_norm(axis=axis, epsilon=epsilon) if isinstance(axis, (int, tuple)) and epsilon > 0 else None


def _with_epsilon(norm: Any, axes: int, match: Match) -> Layer | None:
    epsilon = match.numbers["epsilon"]
    options: dict[str, Any] = {"axes": axes} if axes > 1 else {}
    return norm.but(epsilon=epsilon, **options) if epsilon > 0 else None


def _last_axes(match: Match, graph: Operations) -> int | None:
    """How many of the last axes a match reduces, or None where it reduces others."""
    axis = match.numbers["axis"]
    axes = axis if isinstance(axis, tuple) else (axis,)
    if axes == tuple(range(-len(axes), 0)):
        return len(axes)
    shape = graph.shape(match.values["x"])
    last = None if shape is None else tuple(range(len(shape) - len(axes), len(shape)))
    return len(axes) if shape is not None and _axes(match, len(shape)) == last and len(axes) < len(shape) else None


def _axes(match: Match, rank: int) -> tuple[int, ...] | None:
    axis = match.numbers["axis"]
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(a % rank for a in axes)) if all(isinstance(a, int) for a in axes) else None


def _affine(op: Op, graph: Operations) -> Replacement | None:
    """A norm without scale (or bias), and the one that follows it in the same module."""
    name = "scale" if isinstance(op.layer, learned_scale) else "bias"
    norm = graph.producers.get(op.inputs[0]) if isinstance(op.layer, (learned_scale, learned_bias)) else None
    if norm is None or graph.readers[norm.output] > 1 or norm.path != op.path or graph.shared(op):
        return None
    layer = norm.layer
    free = isinstance(layer, (layer_norm, rms_norm, instance_norm)) and not getattr(layer, name, True)
    ordered = name == "bias" or not getattr(layer, "bias", False)
    if not free or not ordered or not _fits(op, layer, graph):
        return None
    weights = {**norm.weights, name: op.weights[name]}
    new = replace(op, layer=layer.but(**{name: True}), inputs=norm.inputs, weights=weights)  # pyright: ignore
    return Replacement(frozenset((norm.output, op.output)), (new,))


def _fits(op: Op, norm: Layer, graph: Operations) -> bool:
    """Whether a learned scale or bias has the shape of the norm's own."""
    shape = op.layer.shape  # pyright: ignore[reportAttributeAccessIssue]
    axes = getattr(norm, "axes", 1)
    if shape is None:
        return axes == 1
    known = graph.shape(op.output)
    return known is not None and shape == known[-axes:]


def _root(variance: Pattern) -> Pattern:
    return rsqrt(variance + _EPSILON)


NORMS: tuple[Rewriter, ...] = (
    *(rule(_CENTRED * _root(v), _centred) for v in _VARIANCES),
    *(rule(_X * _root(v) - mean(_X) * _root(v), _centred) for v in _VARIANCES),
    rule(_X * _root(mean(_X * _X)), _rms),
    rule(_X * rsqrt(clip(reduced(SUM, _X * _X), _EPSILON, None)), _unit),
    Rewriter(frozenset(("learned_scale", "learned_bias")), _affine),
)
