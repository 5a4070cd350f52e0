"""JAX's operations on each element: functions, sums and products with values, numbers and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.rules.pool import average
from compose.port.frontends.flax.values import Value, Weight
from compose.port.ir.weights import Constant, Take
from compose.port.lowering.registry import rule, rules

_PLAIN = {
    "tanh": "tanh", "logistic": "sigmoid", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt", "sin": "sin",
    "cos": "cos", "erf": "erf", "abs": "abs", "sign": "sign", "square": "square",
}  # fmt: skip


@rules(*(f"jax.{name}" for name in _PLAIN))
def _plain(low, eqn, x, **_):
    return low.emit(word(_PLAIN[eqn.name]), x)


@rules("jax.copy", "jax.copy_p", "jax.reduce_precision", "jax.sharding_constraint", "jax.optimization_barrier")
def _nothing(low, eqn, *xs):
    return xs


@rule("jax.convert_element_type")
def _convert(low, eqn, x):
    if not isinstance(x, (Value, Weight)):
        return x  # a mask that attention reads
    kinds = [np.issubdtype(dtype, np.floating) for dtype in (eqn.outputs[0].dtype, eqn.inputs[0].dtype)]
    if kinds[0] == kinds[1]:
        return x
    return low.emit(word("as_dtype")(dtype=word("float32" if kinds[0] else "int32")), x)


@rule("jax.neg")
def _negative(low, eqn, x):
    return low.emit(word("scale")(by=-1.0), x)


@rules("jax.integer_pow", "jax.pow")
def _power(low, eqn, x, exponent=None):
    y = eqn.params.get("y") if exponent is None else number(exponent)
    if y is None or not isinstance(x, Value):
        raise PortError("a value to the power of a number")
    return low.emit(word("square") if y == 2 else word("power")(exponent=float(y)), x)


@rules("jax.add", "jax.add_any")
def _add(low, eqn, a, b):
    a, b, at = (a, b, 0) if isinstance(a, Value) else (b, a, 1)
    if isinstance(b, Value):
        return low.emit(word("add"), a, b)
    if isinstance(b, Weight):
        if b.places and a.ndim == 3:
            return low.emit(word("learned_positions")(b.places), a, weights={"embedding": Take(b.take.source)})
        joined = _as_bias(low, a, b, at)
        return joined or _learned(low, "learned_bias", "bias", a, b)
    if _is_array(b):
        return fixed(low, "learned_bias", a, b)
    return a if number(b) == 0 else low.emit(word("add_constant")(value=_number(b)), a)


@rule("jax.mul")
def _multiply(low, eqn, a, b):
    a, b = (a, b) if isinstance(a, Value) else (b, a)
    if isinstance(b, Value):
        return low.emit(word("multiply"), a, b)
    if isinstance(b, Weight):
        return _learned(low, "learned_scale", "scale", a, b)
    if _is_array(b):
        return fixed(low, "learned_scale", a, b)
    return a if number(b) == 1 else low.emit(word("scale")(by=_number(b)), a)


@rule("jax.sub")
def _subtract(low, eqn, a, b):
    if isinstance(a, Value) and isinstance(b, Value):
        return low.emit(word("subtract"), a, b)
    if isinstance(b, Weight):  # a - w is -(w - a)
        return low.emit(word("scale")(by=-1.0), _add(low, eqn, low.emit(word("scale")(by=-1.0), a), b))
    if isinstance(a, Value):
        return fixed(low, "learned_bias", a, -b) if _is_array(b) else _add(low, eqn, a, np.asarray(-_number(b)))
    turned = low.emit(word("scale")(by=-1.0), b)
    if isinstance(a, Weight) or _is_array(a):
        return _add(low, eqn, turned, a)
    return turned if number(a) == 0 else low.emit(word("add_constant")(value=_number(a)), turned)


@rule("jax.div")
def _divide(low, eqn, a, b):
    if isinstance(a, Value) and isinstance(b, Value):
        return low.emit(word("divide"), a, b)
    if isinstance(a, Value):
        averaged = _mean(low, b)
        return averaged or low.emit(word("scale")(by=1 / _number(b)), a)
    turned = low.emit(word("reciprocal"), b)
    return turned if number(a) == 1 else low.emit(word("scale")(by=_number(a)), turned)


@rules("jax.max", "jax.min")
def _extremes(low, eqn, a, b):
    if isinstance(a, Value) and isinstance(b, Value):
        return low.emit(word("maximum" if eqn.name == "max" else "minimum"), a, b)
    a, b = (a, b) if isinstance(a, Value) else (b, a)
    bound = _number(b)
    if eqn.name == "max" and bound == 0:
        return low.emit(word("relu"), a)
    return low.emit(word("clip")(**{"low" if eqn.name == "max" else "high": bound}), a)


@rule("jax.select_n")
def _select(low, eqn, which, *cases):
    chosen = number(which)
    if isinstance(which, Value) and all(isinstance(case, Value) for case in cases):
        return low.emit(word("where"), which, *cases[::-1])
    if chosen is None:
        raise PortError("a choice that is the same everywhere; make others a function under @compose.register")
    return cases[int(chosen)]


@rule("jax.clamp")
def _clamp(low, eqn, least, x, most):
    return low.emit(word("clip")(low=_number(least), high=_number(most)), x)


def number(constant: Any) -> float | None:
    """The number that a constant is everywhere, or None."""
    if not isinstance(constant, np.ndarray) or constant.size == 0:
        return None
    first = constant.reshape(-1)[:1] if all(constant.strides) else constant[(slice(0, 1),) * constant.ndim].reshape(-1)
    return float(first[0]) if constant.size == 1 or bool((constant == first[0]).all()) else None


def _is_array(constant: Any) -> bool:
    """Whether it is an array of constants that differ."""
    return isinstance(constant, np.ndarray) and number(constant) is None


def fixed(low: Any, name: str, x: Value, array: np.ndarray) -> Value:
    """A value times, or plus, an array that is no weight of the model."""
    repeats = [array.strides[i] == 0 or array.shape[i] == 1 for i in range(array.ndim)]
    array = array[tuple(slice(0, 1) if alike else slice(None) for alike in repeats)]
    while array.ndim > 1 and len(array) == 1:
        array = array[0]
    made = word(name) if array.shape == x.shape[-1:] else word(name)(shape=array.shape)
    return low.emit(word("frozen")(made), x, weights={name.removeprefix("learned_"): Constant(array=np.array(array))})


def _number(constant: Any) -> float:
    made = number(constant)
    if made is None:
        what = "an array of constants" if isinstance(constant, np.ndarray) else "a weight computed from others"
        raise PortError(f"a number, got {what}; make it a parameter, or a function under @compose.register")
    return made


def _learned(low: Any, name: str, parameter: str, x: Value, weight: Weight) -> Value:
    """A weight that broadcasts to a value; axes of length 1 at its front say nothing."""
    shape = weight.own
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    if weight.shape != x.shape and np.broadcast_shapes(weight.shape, x.shape) != x.shape:
        raise PortError(f"a weight that broadcasts to {x.shape}, got {weight.shape}")
    take = weight.take if shape == weight.own else replace(weight.take, shape=shape)
    made = word(name) if shape == x.shape[-1:] else word(name)(shape=shape)
    return low.emit(made, x, weights={parameter: take})


def _as_bias(low: Any, x: Value, weight: Weight, position: int) -> Value | None:
    """The sum as the bias of the product before it, where that has none yet and nothing else reads it."""
    at = next((i for i, op in enumerate(low.ops) if op.output == x.index), None)
    if at is None or not low.alone(position):
        return None
    op, size = low.ops[at], x.shape[-1]
    flat = weight.own[-1:] == (size,) and set(weight.own[:-1]) <= {1}
    if op.layer.kind not in ("fc", "conv") or op.layer.bias or "kernel" not in op.weights or not flat:
        return None
    take = weight.take if weight.own == (size,) else replace(weight.take, shape=(size,))
    low.ops[at] = replace(op, layer=op.layer.but(bias=True), weights={**op.weights, "bias": take})
    return x


def _mean(low: Any, count: Any) -> Value | None:
    """A sum divided by how many there are: over axes, or over windows."""
    before, shape = low.maker(0), ()
    x = None if before is None else low.value(before.inputs[0])
    if before is None or not isinstance(x, Value) or not isinstance(count, np.ndarray):
        return None
    if before.name == "reduce_window_sum":
        layer = average(before, count)
        return None if layer is None else low.emit(layer, x)
    kept = before.name == "broadcast_in_dim"
    if kept:
        shape, before = before.outputs[0].shape, low.makers.get(before.inputs[0])
        x = None if before is None else low.value(before.inputs[0])
    if before is None or before.name != "reduce_sum" or not isinstance(x, Value):
        return None
    axes = before.params["axes"]
    if number(count) != np.prod([x.shape[a] for a in axes]) or (kept and not keeps(x.shape, axes, shape)):
        return None
    return low.emit(reduced("mean", axes, x, keepdims=kept), x)


def keeps(given: tuple[int, ...], axes: tuple[int, ...], made: tuple[int, ...]) -> bool:
    """Whether a reduction leaves axes of length 1."""
    return tuple(made) == tuple(1 if i in axes else n for i, n in enumerate(given))


def reduced(name: str, axes: tuple[int, ...], x: Value, keepdims: bool = False) -> Any:
    """A reduction as its word: over all space, that of global pooling."""
    options: dict[str, Any] = {"keepdims": True} if keepdims else {}
    if name in ("mean", "max") and x.ndim > 2 and tuple(axes) == tuple(range(1, x.ndim - 1)):
        made = word("global_avg_pool" if name == "mean" else "global_max_pool")
        return made(**options) if options else made
    if len(axes) < x.ndim:
        last = tuple(a - x.ndim if a == x.ndim - 1 else a for a in axes)
        options = {"axis": last[0] if len(last) == 1 else last, **options}
    return word(name)(**options) if options else word(name)
