"""The two pure functions of a network, `init` and `apply`, and the kinds of input they take."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Call, Context, path_hash
from compose.core.errors import ConfigError, LayerError, ParamsError, shape_text
from compose.core.hooks import hooks
from compose.core.layer import Layer
from compose.core.param import Param
from compose.core.place import locate
from compose.core.plan import Plan, plan, specs
from compose.core.precision import as_wide_as, call_in, compute_dtype, wide_specs
from compose.core.warning import warn


def spec(*shape: int, dtype: Any = None) -> jax.ShapeDtypeStruct:
    """A batch of arrays of `shape`, for `init`, `summary` and `out`: `spec(16, dtype=int)`."""
    return jax.ShapeDtypeStruct((1, *shape), jnp.result_type(float if dtype is None else dtype))


def pack(inputs: tuple) -> Any:
    """The inputs of a call as one value: a single input itself, several as a tuple."""
    if not inputs:
        raise ConfigError("at least one input", hint="an array, or its shape without the batch axis, as in (28, 28, 1)")
    values = tuple(map(_input, inputs))
    return values[0] if len(values) == 1 else values


def arguments(x: Any) -> tuple:
    """The inputs of a call, of the value that `pack` makes of them."""
    return x if isinstance(x, tuple) else (x,)


def abstract(inputs: tuple) -> Any:
    """`pack`, as shapes and dtypes; half precision becomes float32, so that parameters are in float32."""
    return wide_specs(specs(as_arrays(pack(inputs))))


def init(net: Layer, key, *inputs) -> tuple[dict, dict]:
    """See `Layer.init`."""
    net_plan = plan(net, abstract(inputs))
    key = jax.random.key(key) if isinstance(key, (int, np.integer)) else key
    return _draw(net_plan.params, key, ()), _draw(net_plan.state, key, ())


def apply(net: Layer, params, state, *inputs, rng=None, train=False, mask=None, precision=None) -> tuple[Any, Any]:
    """See `Layer.apply`."""
    dtype = compute_dtype(precision)
    x = as_wide_as(params, as_arrays(pack(inputs)))
    net_plan = plan(net, specs(x))
    check_params(net, net_plan, params, state)
    rng = jax.random.key(rng) if isinstance(rng, (int, np.integer)) else rng
    ctx = Context(train=train, key=rng, mask=mask)
    try:
        return call_in(dtype, net, params, state, x, ctx)
    except LayerError as e:
        raise e if e.layer is not None else locate(e, net, net_plan, e.path)


def intermediates(net: Layer, params, state, *inputs, mask=None) -> dict[str, Any]:
    """See `Layer.intermediates`."""
    x = as_wide_as(params, as_arrays(pack(inputs)))
    check_params(net, plan(net, specs(x)), params, state)
    outputs: dict[str, Any] = {}

    def collect(path: tuple[str, ...], call: Call) -> None:
        outputs["/".join(path)] = call.y

    net.call(params, state, x, Context(mask=mask, on_layer=collect))
    return outputs


def out(net: Layer, *inputs) -> Any:
    """See `Layer.out`."""
    y = plan(net, abstract(inputs)).out
    skip = without_batch(inputs)
    return jax.tree.map(lambda s: tuple(s.shape[skip:]), y)


def without_batch(inputs: tuple) -> bool:
    """Whether every input is a shape without a batch axis, so that outputs are shown without it too."""
    return all(isinstance(i, (int, tuple)) and not _has_arrays(i) for i in inputs)


def call_eagerly(net: Layer, *xs) -> Any:
    """The output of a layer that has neither parameters nor state."""
    net_plan = plan(net, abstract(xs))
    if net_plan.params or net_plan.state:
        raise ConfigError(
            "init and apply, since this layer has parameters",
            f"a call with {shape_text(net_plan.x)}",
            "params, state = net.init(key, x); y, state = net.apply(params, state, x)",
        ).locate(net)
    return apply(net, {}, {}, *xs)[0]


hooks.init, hooks.apply, hooks.intermediates, hooks.out, hooks.call = init, apply, intermediates, out, call_eagerly


def check_params(net: Layer, net_plan: Plan, params, state) -> None:
    """Raise `ParamsError`, with the layer and the shapes that led there, unless both trees match the plan."""
    for word, tree, planned in (("parameter", params, net_plan.params), ("state", state, net_plan.state)):
        try:
            check_tree(tree, planned, word)
        except ParamsError as e:
            raise locate(e, net, net_plan, e.path)


def check_tree(tree: Any, planned: dict, word: str, path: tuple[str, ...] = ()) -> None:
    """Raise `ParamsError` at the first place where `tree` does not match the plan.

    Further keys are ignored: a slice of a network runs on the parameters of the whole network.
    """
    at = "/".join(path) or "the top"
    if not isinstance(tree, dict):
        raise _params_error(path, f"a dict of {word}s with keys {list(planned)}", type(tree).__name__)
    missing = [k for k in planned if k not in tree]
    if missing:
        extra = [k for k in tree if k not in planned]
        got = ", ".join(
            f"{label} {', '.join(map(repr, keys))}" for label, keys in (("no", missing), ("unknown", extra)) if keys
        )
        raise _params_error(path, f"the {word}s {list(planned)} at {at}", got)
    for key, param in planned.items():
        if isinstance(param, Param):
            shape = tuple(np.shape(tree[key]))
            if shape != param.shape:
                raise _params_error((*path, key), f"{key} of shape {param.shape} for this input", f"{shape}")
        else:
            check_tree(tree[key], param, word, (*path, key))


def _params_error(path: tuple[str, ...], expected: str, got: str) -> ParamsError:
    error = ParamsError(expected, got, "use an input shaped like that of init, or call init with this input")
    error.path = path
    return error


def _draw(tree: dict, key, path: tuple[str, ...]) -> dict:
    arrays: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Param):
            drawn = value.make(jax.random.fold_in(key, path_hash((*path, name))))
            arrays[name] = jnp.asarray(drawn, value.dtype)
        else:
            arrays[name] = _draw(value, key, (*path, name))
    return arrays


def as_arrays(tree: Any) -> Any:
    """A tree of array-likes as arrays that JAX accepts."""
    return jax.tree.map(_array, tree)


def _input(value: Any) -> Any:
    if isinstance(value, int):
        return spec(value)
    if isinstance(value, tuple) and value and all(isinstance(v, int) for v in value):
        return spec(*value)
    return value


def _array(leaf: Any) -> Any:
    """An array that JAX accepts, not copied if it already is one."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    if isinstance(leaf, (np.ndarray, np.generic)):
        _warn_if_cut(leaf.dtype)
        return jnp.asarray(leaf)
    return leaf if hasattr(leaf, "shape") else jnp.asarray(leaf)


def _has_arrays(value: Any) -> bool:
    return any(hasattr(v, "shape") for v in jax.tree.leaves(value))


_warned: set[str] = set()


def _warn_if_cut(dtype) -> None:
    """Warn once if JAX will truncate floats to 32 bits."""
    if jax.dtypes.canonicalize_dtype(dtype) != dtype and str(dtype) not in _warned and dtype.kind == "f":
        _warned.add(str(dtype))
        warn(
            f"{dtype} input is computed as {jax.dtypes.canonicalize_dtype(dtype)}; pass float32, or set "
            "jax.config.update('jax_enable_x64', True)"
        )
