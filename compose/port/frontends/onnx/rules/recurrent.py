"""Recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.frontends.onnx.rules.shape import reshaped
from compose.port.ir.weights import View
from compose.port.lowering.values import Pending, Value

_ORDER = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2), "rnn": (0,)}  # of our gates among ONNX's: iofc, zrh


@rules("onnx.LSTM", "onnx.GRU", "onnx.RNN")
def _recurrent(low, node, x, kernel, recurrent, bias=None, lengths=None, *first):
    kind, size = node.op.removeprefix("onnx.").lower(), node.get("hidden_size")
    _check(low, node, x, kind, lengths, first)
    kernel, recurrent, bias = low.weight(kernel), low.weight(recurrent), low.bias(bias)
    options: dict[str, Any] = {"reverse": True} if node.get("direction") == "reverse" else {}
    if bias is None:
        options |= {"bias": False} | ({"recurrent_bias": False} if kind == "gru" else {})
    elif kind != "gru":
        options["recurrent_bias"] = True
    if kind == "gru" and not node.get("linear_before_reset", 0):
        options["reset_after"] = False
    options |= _activations(node, kind)
    cell, both = word(kind)(size, **options), node.get("direction") == "bidirectional"
    views = [_views(kind, size, kernel, recurrent, bias, way) for way in range(1 + both)]
    x = low.moved(x, (1, 0, 2))
    steps, batch = x.shape[:2]
    if both:
        weights = {f"{way}/{k}": t for way, row in zip(("forward", "backward"), views) for k, t in row.items()}
        y = low.emit(word("bidirectional")(cell), x, shape=(steps, batch, 2 * size), weights=weights)
    else:
        y = low.emit(cell, x, shape=(steps, batch, size), weights=views[0])
    return Every(low, y, size, both), Final(low, y, size, both, node.get("direction") == "reverse"), None


def _check(low, node, x, kind: str, lengths, first: tuple) -> None:
    for state in first:
        if state is not None and (low.fixed(state, any_batch=True) is None or np.any(low.fixed(state, any_batch=True))):
            raise PortError(f"{kind} from an initial state of zeros; here a carry is an input: {kind}(...)(x, carry)")
    if lengths is not None and (low.fixed(lengths, True) is None or np.any(low.fixed(lengths, True) != x.shape[0])):
        raise PortError(f"{kind} over sequences of full length; here lengths are an input: {kind}(...)(x, lengths)")
    for name in ("clip", "layout", "input_forget"):
        if node.get(name, 0):
            raise PortError(f"{kind} without {name}, got {node.get(name)}")


_USUAL = {"lstm": ("Sigmoid", "Tanh", "Tanh"), "gru": ("Sigmoid", "Tanh"), "rnn": ("Tanh",)}


def _activations(node, kind: str) -> dict[str, Any]:
    """The activation option for a relu RNN; onnx's reference evaluator supports no others."""
    usual = _USUAL[kind]
    given = tuple(node.get("activations") or usual)
    if kind == "rnn" and set(given) == {"Relu"}:
        return {"activation": word("relu")}
    if given != usual * (len(given) // len(usual)):
        raise PortError(f"{kind} with activations of {', '.join(usual)} in this order, got {', '.join(given)}")
    return {}


def _views(kind: str, size: int, kernel: Any, recurrent: Any, bias: Any, way: int) -> dict[str, View]:
    """The parameters of one direction: a row of ONNX's arrays, with gates in our order."""
    order, gates = (0, _ORDER[kind]), len(_ORDER[kind])
    made = {}
    for name, matrix in (("kernel", kernel), ("recurrent_kernel", recurrent)):
        n = matrix.shape[2]
        made[name] = View(
            matrix.view.source, rows=(way, way + 1), split=(gates, size, n), order=order, axes=(2, 0, 1),
            shape=(n, gates * size), note="gates reordered, OI→IO",
        )  # fmt: skip
    if bias is None:
        return made
    wide = gates * size
    for i, name in enumerate(("bias", "recurrent_bias")):
        made[name] = View(
            bias.view.source, rows=(way, way + 1), columns=(i * wide, (i + 1) * wide), split=(gates, size), order=order,
            shape=(wide,), note="gates reordered",
        )  # fmt: skip
    return made


class Every(Pending):
    """ONNX's `Y`: it has an axis for the directions, which are concatenated here."""

    def __init__(self, low: Any, y: Value, size: int, both: bool):
        self.low, self.y, self.size, self.both = low, y, size, both
        self.shape = (y.shape[0], 1 + both, y.shape[1], size)

    def value(self) -> Value:
        """All of it, `(time, ways, batch, size)`."""
        steps, ways, batch, size = self.shape
        if not self.both:
            return reshaped(self.low, self.y, self.shape)
        apart = reshaped(self.low, self.y, (steps, batch, ways, size))
        return apart.but(shape=self.shape, axes=tuple((0, 2, 1, 3).index(a) for a in apart.axes))

    def part(self, axis: int, place: int) -> Value | None:
        """One way by itself."""
        if axis != 1:
            return None
        if not self.both:
            return self.y
        text = f"..., :{self.size}" if place == 0 else f"..., {self.size}:"
        return self.low.emit(word("at")(text), self.y, shape=(*self.y.shape[:2], self.size))

    def reshaped(self, after: tuple[int, ...]) -> Value:
        return self.y if not self.both and after == self.y.shape else reshaped(self.low, self.value(), after)


@rule("onnx.compose.Ways")
def _ways(low, node, y):
    return y.y


class Final(Pending):
    """ONNX's `Y_h`, read from the outputs at the last step, or at the first for the reverse direction."""

    def __init__(self, low: Any, y: Value, size: int, both: bool, reverse: bool):
        self.low, self.y, self.size, self.both, self.reverse = low, y, size, both, reverse
        self.shape = (1 + both, y.shape[1], size)

    def part(self, axis: int, place: int) -> Value | None:
        return self.select(place) if axis == 0 else None

    def select(self, way: int) -> Value:
        """The state of one way."""
        if self.both:
            text = f":, -1, :{self.size}" if way % 2 == 0 else f":, 0, {self.size}:"
        else:
            text = ":, 0" if self.reverse else ":, -1"
        return self.low.emit(word("at")(text), self.y, shape=self.shape[1:], axes=(0, 1))

    def value(self) -> Value:
        """All of them, `(ways, batch, size)`."""
        _, batch, size = self.shape
        if not self.both:
            return reshaped(self.low, self.select(0), self.shape)
        both = self.low.emit(word("concat"), self.select(0), self.select(1), shape=(batch, 2 * size), axes=(0, 1))
        apart = reshaped(self.low, both, (batch, 2, size))
        return apart.but(shape=self.shape, axes=tuple((1, 0, 2).index(a) for a in apart.axes))

    def reshaped(self, after: tuple[int, ...]) -> Value:
        return self.select(0) if after == self.shape[1:] else reshaped(self.low, self.value(), after)
