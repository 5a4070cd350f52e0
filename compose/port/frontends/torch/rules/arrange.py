"""Values put beside each other, taken apart, turned around."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.registry import rule
from compose.port.lowering.values import Value, identity_axes


@rule("aten.stack")
def _stack(low, node, parts, axis=0):
    shape = low.shape
    if not all(isinstance(p, Value) for p in parts):
        raise PortError("values of the model to stack")
    values = [low.as_source(p) for p in parts]
    layer = word("stack_inputs")(axis=axis % len(shape))
    return low.emit(layer, *values, shape=shape, axes=identity_axes(len(shape)))


@rule("aten.unbind")
def _unbind(low, node, x, axis=0):
    x = low.whole(x)
    axis = axis % x.ndim
    at, shape = x.axis(axis), tuple(n for a, n in enumerate(x.shape) if a != axis)
    axes = tuple(a - (axis < a) for a in x.axes if a != axis)
    index = lambda i: ", ".join([":"] * at + [str(i)])
    return [low.emit(word("at")(index(i)), x, shape=shape, axes=axes) for i in range(x.shape[axis])]


@rule("aten.flip")
def _flip(low, node, x, axes):
    x = low.whole(x)
    ours = sorted(x.axis(a) for a in axes)
    return low.emit(word("flip")(axis=tuple(ours) if len(ours) > 1 else ours[0]), x)


@rule("aten.roll")
def _roll(low, node, x, shifts, axes=()):
    x = low.whole(x)
    shifts, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, axes))
    if len(shifts) != len(axes):
        raise PortError("roll along given axes (dims=...)")
    ours = [x.axis(a) for a in axes]
    one = len(ours) == 1
    return low.emit(word("roll")(shift=shifts[0] if one else tuple(shifts), axis=ours[0] if one else tuple(ours)), x)
