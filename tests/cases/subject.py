"""A case made ready to run: float64 inputs, perturbed parameters, and one compiled call that the tests share."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import tests.cases
from compose.core.plan import draws
from tests.cases.case import Case

FAST_COMPILE = {"xla_backend_optimization_level": "0"}  # small inputs: compiling is all that a test waits for


@functools.cache
def families(what: str = "CASES") -> dict[str, list[Case]]:
    """The cases of every module beside this one that has some, by its name; `OPTIONS` are tested less widely."""
    names = [m.name for m in pkgutil.iter_modules(tests.cases.__path__)]
    modules = {name: importlib.import_module(f"tests.cases.{name}") for name in names}
    return {name: list(getattr(m, what)) for name, m in modules.items() if hasattr(m, what)}


def label(case: Case) -> str:
    """The expression and its inputs: what a golden file files a case under."""
    shapes = [str(i) if isinstance(i, tuple) else f"{i.dtype}{list(i.shape)}" for i in case.inputs]
    return f"{' '.join(str(case.layer).split())} on {', '.join(shapes)}"


class Subject:
    """A case with its arrays.

    `train` is the mode in which transformations are tested: training where the layer draws or has state,
    since that is where they could go wrong.
    """

    def __init__(self, case: Case):
        self.case, self.layer = case, case.layer
        noise = np.random.default_rng(7)
        self.stack = [tuple(_array(i, noise) for i in case.inputs) for _ in range(3)]
        self.inputs = self.stack[0]
        self.params, self.state = self.layer.init(jax.random.key(0), *self.inputs)
        self.params = jax.tree.map(lambda a: _perturbed(a, noise.normal), self.params)
        self.state = jax.tree.map(lambda a: _perturbed(a, noise.uniform), self.state)
        self.train = bool(jax.tree.leaves(self.state)) or draws(self.layer)
        self._compiled: dict[bool, Any] = {}

    def apply(self, params, state, inputs, train: bool) -> tuple[Any, Any]:
        rng = jax.random.key(3) if train else None
        return self.layer.apply(params, state, *inputs, rng=rng, train=train)

    def run(self, train: bool, params, state, inputs) -> tuple[Any, Any, Any]:
        """Output, state after it, and the gradients of parameters and inputs under a fixed cotangent; compiled once."""
        if train not in self._compiled:

            def both(params, state, floats, rest):
                output = lambda params, floats: self.apply(params, state, _merge(floats, rest), train)
                y, back, after = jax.vjp(output, params, floats, has_aux=True)
                return y, after, back(cotangent(y))

            self._compiled[train] = jax.jit(both, compiler_options=FAST_COMPILE)
        return self._compiled[train](params, state, *_split(inputs))


def cotangent(y: Any) -> Any:
    """A fixed random array for each floating-point output, zero for others."""
    leaves, tree = jax.tree.flatten(y)
    noise = np.random.default_rng(11)
    made = [
        noise.normal(size=a.shape).astype(a.dtype)
        if jnp.issubdtype(a.dtype, jnp.floating)
        else np.zeros(a.shape, jax.dtypes.float0)
        for a in leaves
    ]
    return jax.tree.unflatten(tree, made)


def numpy_tree(tree: Any) -> Any:
    """Writable NumPy copies, for references that are written in other frameworks."""
    return jax.tree.map(np.array, tree)


def assert_close(got: Any, want: Any, tolerance: float, what: str) -> None:
    """Equal trees of arrays up to `tolerance` of the largest element, at least of 1."""
    got, want = jax.tree.leaves(got), jax.tree.leaves(want)
    assert len(got) == len(want), f"{what}: {len(got)} arrays, expected {len(want)}"
    for a, b in zip(got, want):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
        if not jnp.issubdtype(b.dtype, jnp.inexact):
            assert np.array_equal(a, b), what
            continue
        a, b = a.astype(np.float64), b.astype(np.float64)
        assert np.array_equal(np.isfinite(a), np.isfinite(b)), f"{what}: not finite in the same places"
        finite = np.isfinite(b)
        scale = max(1.0, np.abs(b[finite]).max(initial=0))
        error = np.abs(a - b, where=finite, out=np.zeros_like(b)).max(initial=0) / scale
        assert error <= tolerance, f"{what}: off by {error:.2g}, more than {tolerance:.2g}"


def _array(given: Any, noise: np.random.Generator):
    return jnp.asarray(noise.normal(size=given) if isinstance(given, tuple) else given)


def _perturbed(a, draw):
    """In NumPy: operations of JAX would be compiled for each shape."""
    return jnp.asarray(np.asarray(a) + 0.3 * draw(size=a.shape)) if jnp.issubdtype(a.dtype, jnp.floating) else a


def _split(inputs: tuple) -> tuple[dict, dict]:
    """The floating-point inputs, which have a gradient, and the rest, by position."""
    is_float = {i: jnp.issubdtype(x.dtype, jnp.inexact) for i, x in enumerate(inputs)}
    return {i: inputs[i] for i in is_float if is_float[i]}, {i: inputs[i] for i in is_float if not is_float[i]}


def _merge(floats: dict, rest: dict) -> tuple:
    both = {**floats, **rest}
    return tuple(both[i] for i in range(len(both)))
