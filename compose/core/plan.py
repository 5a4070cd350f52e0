"""The plan: the shapes, parameters and state of a network for one abstract input, without arrays."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.context import Context
from compose.core.errors import ConfigError, LayerError, ShapeError, shape_text
from compose.core.hooks import hooks
from compose.core.layer import Layer, walk
from compose.core.param import Param


@dataclass(frozen=True, eq=False)
class Plan:
    """A layer and an input.

    Attributes:
        layer: the layer.
        x, out: the abstract input and output, trees of `jax.ShapeDtypeStruct`.
        params, state: nested dicts whose leaves are `Param`.
        parts: the plans of the layers inside, each with its key, in execution order; the key of the layer
            in a wrapper is empty, since it adds nothing to the path.
        times: how often the parts run, in a `repeat`.
    """

    layer: Layer
    x: Any
    out: Any
    params: dict[str, Any]
    state: dict[str, Any]
    parts: tuple[tuple[str, Plan], ...] = ()
    times: int = 1

    def param_specs(self):
        return _as_specs(self.params)

    def state_specs(self):
        return _as_specs(self.state)

    def within(self, layer: Layer, **changes) -> Plan:
        """The plan of a layer around this one that adds no key to the path."""
        return dataclasses.replace(self, **{"layer": layer, "parts": (("", self),), "times": 1, **changes})


def plan(layer: Layer, x, scope: tuple = ()) -> Plan:
    """Plan `layer` for the abstract input `x`, memoised on both.

    `scope` holds the layers shared around here; only layers that use it are planned again.
    Raises a `LayerError` that names the layer inside that does not fit.
    """
    try:
        if scope and uses_scope(layer):
            return layer.plan(x, scope)
        return _memoised(layer, _hashable(x), jnp.result_type(float))
    except LayerError as e:
        raise e.locate(layer, x)


def plan_leaf(layer: Layer, x) -> Plan:
    """Plan a layer that supplies `params`, `state` and `forward`."""
    return _leaf(layer, x, jax.eval_shape)[0]


class InnerPlans:
    """The `Planner` of a leaf: collects in `plans` what the leaf runs inside itself, each under its key."""

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}

    def run(self, key: str, child: Layer, x) -> Any:
        """Plan `child` in the trace of the leaf around it; its output.

        Raises `ConfigError` if it has state, which a leaf cannot keep for it.
        """
        try:
            inner, y = _plan_inside(child, x)
        except LayerError as e:
            raise e.enter(key, ())
        if inner.state:
            raise ConfigError(
                f"a layer without state as {key}", f"{child}, which has the state {', '.join(inner.state)}",
                f"put it after the layer: compose_seq(..., {child})",
            )  # fmt: skip
        self.plans[key] = inner
        return y


def planning(scope: tuple = ()) -> Context:
    """A context in which layers are traced for shapes alone, which needs no rng."""
    return Context(planner=InnerPlans(), scope=scope)


def _plan_inside(layer: Layer, x) -> tuple[Plan, Any]:
    zeros = lambda tree: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), tree)
    if type(layer).plan is not Layer.plan:
        inner = plan(layer, specs(x))
        return inner, zeros(inner.out)
    try:
        inner, out = _leaf(layer, specs(x), lambda run, params, state, _: run(zeros(params), zeros(state), x))
    except LayerError as e:
        raise e.locate(layer, specs(x))
    return inner, x if out is None else out


_UNFIT = (TypeError, ValueError, IndexError, AssertionError, ZeroDivisionError)


def _leaf(layer: Layer, x, trace: Callable) -> tuple[Plan, Any]:
    try:
        own, state = dict(layer.params(x)), dict(layer.state(x))
        own = {k: _with_dtype(v, x) for k, v in own.items()}
        state = {k: _with_dtype(v, x) for k, v in state.items()}
        if layer.like_input and isinstance(x, jax.ShapeDtypeStruct) and jnp.issubdtype(x.dtype, jnp.floating):
            return Plan(layer, x, x, own, state), None
        inner = InnerPlans()
        ctx = Context(planner=inner)
        out, after = trace(lambda p, s, x: layer.call(p, s, x, ctx), _as_specs(own), _as_specs(state), x)
    except LayerError:
        raise
    except Exception as e:
        unfit = isinstance(e, _UNFIT) or (isinstance(e, AttributeError) and isinstance(x, tuple))
        if unfit:
            first = next(iter(str(e).strip().splitlines()), type(e).__name__)
            raise ShapeError("an input that it can compute on", f"{shape_text(x)}: {first}").locate(layer) from e
        e.add_note(f"while planning {layer}, built at {layer.built_at}, for {shape_text(x)}")
        raise
    if specs(after) != _as_specs(state):
        raise ConfigError("a new state with the shapes of the old one", shape_text(after)).locate(layer)
    nested = {k: p.params for k, p in inner.plans.items() if p.params}
    return Plan(layer, x, specs(out), {**own, **nested}, state, tuple(inner.plans.items())), out


hooks.plan_leaf = plan_leaf


@functools.lru_cache(maxsize=16384)
def _memoised(layer: Layer, x, default_dtype) -> Plan:
    return layer.plan(_unhash(x), ())


@functools.lru_cache(maxsize=4096)
def uses_scope(layer: Layer) -> bool:
    """Whether a layer inside refers to a shared layer."""
    return any(getattr(inner, "refers", False) for _, inner in walk(layer))


@functools.lru_cache(maxsize=4096)
def draws(layer: Layer) -> bool:
    """Whether a layer inside draws random numbers in training."""
    return any(inner.draws for _, inner in walk(layer))


def specs(tree):
    """The shapes and dtypes of a tree of arrays."""
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)


def float_dtype(x) -> Any:
    """The dtype of the parameters for an input: that of its first floating-point array, else JAX's default."""
    for leaf in jax.tree.leaves(x):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            return leaf.dtype
    return jnp.result_type(float)


def _with_dtype(param: Param, x) -> Param:
    return param if param.dtype is not None else dataclasses.replace(param, dtype=float_dtype(x))


def _as_specs(tree):
    is_param = lambda v: isinstance(v, Param)
    return jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), tree, is_leaf=is_param)


def _hashable(x):
    leaves, treedef = jax.tree.flatten(x)
    return x if treedef.num_nodes == 1 else (tuple(leaves), treedef)


def _unhash(x):
    return jax.tree.unflatten(x[1], x[0]) if isinstance(x, tuple) else x
