"""The two pure functions of a network, `init` and `apply`, and the forms in which inputs come."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Context, path_hash
from compose.core.errors import ConfigError, LayerError, ParamsError, shape_text
from compose.core.layer import Layer
from compose.core.param import Param
from compose.core.place import locate
from compose.core.plan import Plan, plan, specs


def spec(*shape: int, dtype: Any = None) -> jax.ShapeDtypeStruct:
    """A batch of arrays of `shape`, for `init`, `summary` and `out`: `spec(16, dtype=int)`."""
    return jax.ShapeDtypeStruct((1, *shape), jnp.result_type(float if dtype is None else dtype))


def pack(inputs: tuple) -> Any:
    """The inputs of a call as the one value that flows: itself, or the tuple of several."""
    if not inputs:
        raise ConfigError("at least one input")
    made = tuple(map(_input, inputs))
    return made[0] if len(made) == 1 else made


def abstract(inputs: tuple) -> Any:
    """`pack`, shapes only."""
    return specs(as_arrays(pack(inputs)))


def init(net: Layer, key, *inputs) -> tuple[dict, dict]:
    """See `Layer.init`."""
    made = plan(net, abstract(inputs))
    key = jax.random.key(key) if isinstance(key, (int, np.integer)) else key
    return _make(made.params, key, ()), _make(made.state, key, ())


def apply(net: Layer, params, state, *inputs, rng=None, train=False, mask=None) -> tuple[Any, Any]:
    """See `Layer.apply`."""
    x = as_arrays(pack(inputs))
    made = plan(net, specs(x))
    check_params(net, made, params, state)
    rng = jax.random.key(rng) if isinstance(rng, (int, np.integer)) else rng
    ctx = Context(train=train, key=rng, mask=mask)
    try:
        return net.call(params, state, x, ctx)
    except LayerError as e:
        raise e if e.layer is not None else locate(e, net, made, e.path)


def intermediates(net: Layer, params, state, *inputs, mask=None) -> dict[str, Any]:
    """See `Layer.intermediates`."""
    x = as_arrays(pack(inputs))
    check_params(net, plan(net, specs(x)), params, state)
    seen: dict[str, Any] = {}
    ctx = Context(mask=mask, tap=lambda path, y: seen.__setitem__("/".join(path), y))
    net.call(params, state, x, ctx)
    return seen


def out(net: Layer, *inputs) -> Any:
    """See `Layer.out`."""
    y = plan(net, abstract(inputs)).out
    skip = without_batch(inputs)
    return jax.tree.map(lambda s: tuple(s.shape[skip:]), y)


def without_batch(inputs: tuple) -> bool:
    """Whether every input is a shape without batch, so that what is said of the network leaves it out."""
    return all(isinstance(i, (int, tuple)) and not _has_arrays(i) for i in inputs)


def call_eagerly(net: Layer, *xs) -> Any:
    """The value of a layer that has neither parameters nor state."""
    made = plan(net, abstract(xs))
    if made.params or made.state:
        raise ConfigError(
            "init and apply, since this layer has parameters",
            f"a call with {shape_text(made.x)}",
            "params, state = net.init(key, x); y, state = net.apply(params, state, x)",
        ).locate(net)
    return apply(net, {}, {}, *xs)[0]


def check_params(net: Layer, made: Plan, params, state) -> None:
    """Raise `ParamsError`, with the layer and the shapes that led there, unless they are those of the plan."""
    for word, given, wanted in (("parameter", params, made.params), ("state", state, made.state)):
        try:
            check_tree(given, wanted, word)
        except ParamsError as e:
            raise locate(e, net, made, e.path)


def check_tree(given: Any, wanted: dict, word: str, path: tuple[str, ...] = ()) -> None:
    """Raise `ParamsError` at the first place where `given` is not what the plan wants.

    What it holds besides is no matter: a slice of a network runs on the parameters of the whole.
    """
    at = "/".join(path) or "the top"
    if not isinstance(given, dict):
        raise _params_error(path, f"a dict of {word}s with keys {list(wanted)}", type(given).__name__)
    missing = [k for k in wanted if k not in given]
    if missing:
        extra = [k for k in given if k not in wanted]
        got = ", ".join(
            f"{label} {', '.join(map(repr, keys))}" for label, keys in (("no", missing), ("unknown", extra)) if keys
        )
        raise _params_error(path, f"the {word}s {list(wanted)} at {at}", got)
    for key, want in wanted.items():
        if isinstance(want, Param):
            shape = tuple(np.shape(given[key]))
            if shape != want.shape:
                raise _params_error((*path, key), f"{key} of shape {want.shape} for this input", f"{shape}")
        else:
            check_tree(given[key], want, word, (*path, key))


def _params_error(path: tuple[str, ...], expected: str, got: str) -> ParamsError:
    error = ParamsError(expected, got, "give an input like that of init, or the parameters of an init for this one")
    error.path = path
    return error


def _make(tree: dict, key, path: tuple[str, ...]) -> dict:
    made: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Param):
            drawn = value.make(jax.random.fold_in(key, path_hash((*path, name))))
            made[name] = jnp.asarray(drawn, value.dtype)
        else:
            made[name] = _make(value, key, (*path, name))
    return made


def as_arrays(tree: Any) -> Any:
    """A tree of array-likes as one of arrays that JAX can take."""
    return jax.tree.map(_array, tree)


def _input(value: Any) -> Any:
    if isinstance(value, int):
        return spec(value)
    if isinstance(value, tuple) and value and all(isinstance(v, int) for v in value):
        return spec(*value)
    return value


def _array(leaf: Any) -> Any:
    """An array that JAX can take, without copying one that it can."""
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
    """float64 and int64 that JAX will cut to 32 bits are said once, never in silence."""
    if jax.dtypes.canonicalize_dtype(dtype) != dtype and str(dtype) not in _warned and dtype.kind == "f":
        import warnings

        _warned.add(str(dtype))
        warnings.warn(
            f"{dtype} input is computed as {jax.dtypes.canonicalize_dtype(dtype)}; give float32, or set "
            "jax.config.update('jax_enable_x64', True)",
            stacklevel=4,
        )
