"""Functions that a jaxpr writes out, such as softmax, recognised by what they compute, whatever they are called.

Each function of `KNOWN` is traced on the shapes at hand, and its jaxpr is compared with the operations of the model,
from the last one backwards. They stay here because a jaxpr rounds their constants to float32, broadcasts every operand
and selects between branches that no word of the lowered graph stands for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.frontends.jax.inlining import Eqn, Flat, Var

_FREE = 0.123456789  # stands for an option's number, which is read from the model


@dataclass(frozen=True)
class Known:
    """A function of one array (three for attention) and the word for it.

    Attributes:
        fn: of arrays, with its options by name.
        word: what it is here.
        default: the option whose number is read from the model, and what it is by default.
        axes: whether it has an `axis`, each of which is tried.
        fixed: options of the word that `fn` has built in.
    """

    fn: Callable
    word: str
    default: tuple[str, float] | None = None
    axes: bool = False
    fixed: tuple[tuple[str, Any], ...] = ()


_TANH_GELU, _ERF_GELU = (functools.partial(jax.nn.gelu, approximate=approximate) for approximate in (True, False))


def _attention(q, k, v, scale: str, causal: bool = False):
    """Attention as people write it: its scale on the query, or by a quotient or product after the scores."""
    root = np.sqrt(q.shape[-1])
    scores = jnp.einsum("bqhd,bkhd->bhqk", q / root if scale == "before" else q, k)
    scores = scores / root if scale == "quotient" else scores * (1 / root) if scale == "product" else scores
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, _FREE)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)


_ATTENTION = "scaled_dot_product_attention"

KNOWN = [
    *(
        Known(functools.partial(_attention, scale=scale, causal=causal), _ATTENTION, fixed=(("causal", True),) * causal)
        for scale in ("before", "quotient", "product")
        for causal in (False, True)
    ),
    Known(jax.nn.softmax, "softmax", axes=True),
    Known(jax.nn.log_softmax, "log_softmax", axes=True),
    Known(_TANH_GELU, "gelu", fixed=(("approximate", True),)),
    Known(_ERF_GELU, "gelu"),
    Known(jax.nn.softplus, "softplus"),
    Known(jax.nn.log_sigmoid, "log_sigmoid"),
    Known(jax.nn.selu, "selu"),
    Known(jax.nn.hard_swish, "hard_swish"),
    Known(jax.nn.hard_sigmoid, "hard_sigmoid"),
    Known(jax.nn.relu6, "relu6"),
    Known(jax.nn.hard_tanh, "clip", fixed=(("min", -1.0), ("max", 1.0))),
    Known(jax.nn.squareplus, "squareplus"),
    Known(jax.nn.leaky_relu, "ops.leaky_relu", ("negative_slope", 0.01)),
    Known(jax.nn.elu, "elu", ("alpha", 1.0)),
    Known(jax.nn.celu, "celu", ("alpha", 1.0)),
]


@dataclass(frozen=True)
class Match:
    """A word applied to values of the model."""

    layer: Layer
    inputs: tuple[Var, ...]


def found(eqn: Eqn, makers: dict[Var, Eqn]) -> Match | None:
    """The known function that ends with this operation, or None."""
    for known in KNOWN:
        if _last(known) != eqn.name or not jnp.issubdtype(eqn.outputs[0].dtype, jnp.floating):
            continue
        for options, flat in _traces(known, eqn):
            bound: dict[Any, Any] = {}
            inner = {v: e for e in flat.eqns for v in e.outputs}
            if _same(flat.outputs[0], eqn.outputs[0], inner, makers, bound, flat.inputs):
                return Match(_said(known, options, bound), tuple(bound[v] for v in flat.inputs))
    return None


def _said(known: Known, options: dict[str, Any], bound: dict[Any, Any]) -> Any:
    given = {**dict(known.fixed), **{k: v for k, v in options.items() if v != -1}}
    if known.default is not None:
        name, usual = known.default
        value = float(bound.get("number", usual))
        given |= {} if np.isclose(value, usual, rtol=1e-6) else {name: value}
    return word(known.word)(**given) if given else word(known.word)


def _traces(known: Known, eqn: Eqn) -> Iterator[tuple[dict[str, Any], Flat]]:
    """The function on the shapes that the operation's inputs may have, with each axis."""
    shape, dtype = eqn.outputs[0].shape, str(eqn.outputs[0].dtype)
    if known.word == _ATTENTION:
        shapes = _attention_shapes(eqn)
        if shapes is not None:
            yield {}, _flat(known, shapes, dtype, None)
    elif known.axes:
        for axis in range(-1, -len(shape) - 1, -1):
            yield {"axis": axis}, _flat(known, (shape,), dtype, axis)
    else:
        yield {}, _flat(known, (shape,), dtype, None)


def _attention_shapes(eqn: Eqn) -> tuple | None:
    """Of query, key and value for attention that ends so: its last step turns the heads back."""
    out = eqn.outputs[0].shape
    before = eqn.inputs[0].shape
    if len(out) != 4 or sorted(before) != sorted(out):
        return None
    return (out, out, out)


@functools.cache
def _last(known: Known) -> str:
    """The name of the operation that the function ends with."""
    shapes = ((2, 3, 5, 7),) * (3 if known.word == _ATTENTION else 1)
    return _flat(known, shapes, "float32", -1 if known.axes else None).eqns[-1].name


@functools.lru_cache(maxsize=1024)
def _flat(known: Known, shapes: tuple, dtype: str, axis: int | None) -> Flat:
    options: dict[str, Any] = {} if axis is None else {"axis": axis}
    if known.default is not None:
        options[known.default[0]] = _FREE
    given = [jax.ShapeDtypeStruct(shape, jnp.dtype(dtype)) for shape in shapes]
    return Flat(jax.make_jaxpr(lambda *xs: known.fn(*xs, **options))(*given))


def _same(a: Any, b: Any, inner: dict, makers: dict, bound: dict, inputs: list[Var]) -> bool:
    """Whether `b` of the model is computed as `a` of the function is; what the inputs stand for goes to `bound`."""
    if isinstance(a, np.ndarray):
        if not isinstance(b, np.ndarray):
            return False
        a, b = _cut(a, b) if a.shape == b.shape else (a, b)
        if a.size == b.size == 1 and np.isclose(a, _FREE).all():
            return bool(bound.setdefault("number", b) == b)
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-6, atol=0, equal_nan=True)
    if isinstance(b, np.ndarray) or a.shape != b.shape:
        return False
    if a in inputs:
        return bound.setdefault(a, b) is b
    one, other = inner[a], makers.get(b)
    if other is None or one.name != other.name or len(one.inputs) != len(other.inputs):
        return False
    if one.outputs.index(a) != other.outputs.index(b) or _options(one) != _options(other):
        return False
    given = _turned(one, other) if one.name == "select_n" else other.inputs
    return all(_same(x, y, inner, makers, bound, inputs) for x, y in zip(one.inputs, given))


def _turned(one: Eqn, other: Eqn) -> tuple:
    """The inputs of a choice, by the opposite condition where that is the function's own."""
    mine, which = one.inputs[0], other.inputs[0]
    if not (isinstance(mine, np.ndarray) and isinstance(which, np.ndarray) and mine.shape == which.shape):
        return other.inputs
    a, b = _cut(mine, which)
    return (mine, *other.inputs[:0:-1]) if np.array_equal(a, ~b) else other.inputs


def _cut(*constants: np.ndarray) -> list[np.ndarray]:
    """Constants of one shape without the axes along which all of them repeat themselves."""
    repeats = [all(c.strides[i] == 0 or c.shape[i] == 1 for c in constants) for i in range(constants[0].ndim)]
    return [c[tuple(slice(0, 1) if alike else slice(None) for alike in repeats)] for c in constants]


def _options(eqn: Eqn) -> str:
    return str({k: v for k, v in eqn.params.items() if k not in ("sharding", "out_sharding", "weak_type", "name")})
