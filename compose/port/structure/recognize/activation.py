"""Activations written out in arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

from compose.core.function import Function
from compose.core.layer import Layer
from compose.layers.activation import basic, smooth, softmax
from compose.ops import logsumexp
from compose.port.structure.recognize.match import Match
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.pattern import Call, Pattern, Slot, Var
from compose.port.structure.recognize.rewrite import Rewriter, always, rule
from compose.port.structure.recognize.words import (
    MAX,
    STOP_GRADIENT,
    SUM,
    absolute,
    activation,
    clip,
    erf,
    exp,
    log,
    log1p,
    reciprocal,
    reduced,
)  # fmt: skip

_X = Var("x")
_ROOT = math.sqrt(2 / math.pi)
_CUBE = _X * _X * _X * 0.044715
_TANH_GELU = (
    activation("tanh", (_X + _CUBE) * _ROOT),
    activation("tanh", _X * _ROOT + _X * _X * _X * (0.044715 * _ROOT)),
    activation("tanh", _X * (_X * _X * 0.044715 + 1.0) * _ROOT),
)
_CLIPPED = activation("relu6", _X + 3.0), clip(_X + 3.0, 0.0, 6.0)
_HARD_SIGMOID = (
    *(clipped * (1 / 6) for clipped in _CLIPPED),
    clip(_X * (1 / 6) + 0.5, 0.0, 1.0),
)


def _gated(curve: Pattern) -> tuple[Pattern, Pattern]:
    """`x · (1 + curve) / 2`, and the same with the half inside."""
    return _X * (curve + 1.0) * 0.5, _X * (curve * 0.5 + 0.5)


def _along(layer: Function) -> Callable[[Match, Operations], Layer]:
    """A layer along the axis of the match."""

    def along(match: Match, graph: Operations) -> Layer:
        axis = match.numbers["axis"]
        return layer if axis == -1 else layer(axis=axis)

    return along


def _log_sum(match: Match, graph: Operations) -> Layer:
    along = logsumexp(axis=match.numbers["axis"])
    return along(keepdims=True) if match.numbers.get("keepdims", True) else along


_SHIFTS = Call(STOP_GRADIENT, (reduced(MAX, _X),)), reduced(MAX, _X)
_LOG_SUMS = (
    log(reduced(SUM, exp(_X), keepdims=Slot("keepdims"))),
    *(reduced("logsumexp", _X - shift) + shift for shift in _SHIFTS),
)
_EXP = *(exp(_X - shift) for shift in _SHIFTS), exp(_X)

ACTIVATIONS: tuple[Rewriter, ...] = (
    rule(reciprocal(exp(_X * -1.0) + 1.0), always(basic.sigmoid)),
    *(rule(pattern, always(basic.hard_sigmoid)) for pattern in _HARD_SIGMOID),
    *(rule(pattern, always(smooth.softplus)) for pattern in (log(exp(_X) + 1.0), log1p(exp(_X)))),
    *(rule(pattern, always(smooth.gelu)) for pattern in _gated(erf(_X * math.sqrt(0.5)))),
    *(rule(pattern, always(smooth.gelu(approximate=True))) for curve in _TANH_GELU for pattern in _gated(curve)),
    rule(_X * activation("sigmoid", _X), always(smooth.silu)),
    rule(_X * activation("tanh", activation("softplus", _X)), always(smooth.mish)),
    rule(_X * activation("hard_sigmoid", _X), always(basic.hard_swish)),
    *(rule(_X * clipped * (1 / 6), always(basic.hard_swish)) for clipped in _CLIPPED),
    rule(log(activation("sigmoid", _X)), always(smooth.log_sigmoid)),
    rule(_X / (absolute(_X) + 1.0), always(smooth.soft_sign)),
    rule(_X - activation("tanh", _X), always(smooth.tanh_shrink)),
    *(rule(power / reduced(SUM, power), _along(softmax.softmax)) for power in _EXP),
    *(rule(pattern, _log_sum) for pattern in _LOG_SUMS),
    rule(log(activation("softmax", _X, axis=Slot("axis"))), _along(softmax.log_softmax)),
)
