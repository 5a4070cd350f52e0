"""The proof: outputs at three batch sizes, and the gradients of all parameters, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.layer import Layer
from compose.core.run import as_arrays
from compose.export.errors import ExportError
from compose.export.examples import examples_of
from compose.export.proof import Report

TOLERANCE = 1e-10
BATCH = 3


class Run(Protocol):
    """What was written, running in its framework in float64."""

    name: str
    widens: bool  # whether outputs of narrower floating-point dtypes come in float64

    def load(self, weights: dict[str, Any]) -> None:
        """Set all weights by name, strictly."""

    def outputs(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The leaves of the outputs."""
        ...

    def gradients(self, arrays: list[np.ndarray], cotangents: list[np.ndarray]) -> dict[str, np.ndarray]:
        """The gradients of the weights that are trained, under cotangents of the floating-point outputs."""
        ...


def proven(
    net: Layer, params: Any, state: Any, inputs: tuple, run: Run, weights_of: Callable[..., dict], batch: int | None
) -> Report:
    """The report, for weights written by `weights_of(params, state, inputs)`.

    Raises `ExportError` if an output or a gradient differs.
    """
    with jax.enable_x64(True):
        params, state, inputs = jax.tree.map(_wide, (params, state, inputs))
        made = jax.eval_shape(lambda params, state, *given: net.apply(params, state, *given)[0], params, state, *inputs)
        kinds = [leaf.dtype for leaf in jax.tree.leaves(made)]
        run.load(weights_of(params, state, inputs))

        def outputs(*arrays: Any) -> list:
            made = run.outputs([np.asarray(a) for a in arrays])
            return [_as(y, kind, run.widens) for y, kind in zip(made, kinds, strict=True)]

        outputs.name = run.name  # pyright: ignore[reportFunctionMemberAccess]
        report = Report.of(net, params, state, inputs, outputs, batch)
        report.check()
        _gradients(net, params, state, inputs, run, weights_of, batch or BATCH)
    return report


def _gradients(
    net: Layer, params: Any, state: Any, inputs: tuple, run: Run, weights_of: Callable[..., dict], batch: int
) -> None:
    """Compare the gradients of all parameters under a random cotangent; those found are led back to the network's."""
    examples = examples_of(net, inputs, batch)
    if not jax.tree.leaves(params):
        return
    output = lambda params: _floats(net.apply(params, state, *examples)[0])
    noise = np.random.default_rng(0)
    cotangents = [noise.normal(size=a.shape).astype(a.dtype) for a in jax.eval_shape(output, params)]
    (want,) = jax.jit(lambda params: jax.vjp(output, params)[1](cotangents))(params)
    found = run.gradients([np.asarray(a) for a in jax.tree.leaves(as_arrays(examples))], cotangents)
    floating = lambda a: jnp.issubdtype(a.dtype, jnp.floating)
    nothing = lambda a: np.zeros(a.shape, a.dtype if floating(a) else jax.dtypes.float0)

    @jax.jit
    def led_back(params: Any, found: dict) -> Any:
        weights, pull = jax.vjp(lambda params: weights_of(params, state, inputs), params)
        return pull({name: found[name] if name in found else nothing(a) for name, a in weights.items()})[0]

    got = led_back(params, found)
    want, got = jax.tree.map(np.asarray, (want, got))  # operations of JAX would be compiled for each shape
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(want), jax.tree.leaves(got)):
        scale = max(1.0, float(np.abs(a).max(initial=0)))
        error = float(np.abs(a - b).max(initial=0)) / scale
        if not error <= TOLERANCE:
            name = "/".join(str(k.key) for k in path)
            raise ExportError("an export whose gradients are those of the network", f"{error:.1e} off in {name}")


def _floats(tree: Any) -> list:
    return [a for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)]


def _wide(a: Any) -> Any:
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return a
    if isinstance(a, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(a.shape, jnp.float64)
    return np.asarray(a, np.float64)


def _as(a: np.ndarray, dtype: Any, widened: bool) -> np.ndarray:
    """Integers in the network's dtype: frameworks have them in their own; floats too where they were widened."""
    integers = a.dtype.kind in "iu" and np.dtype(dtype).kind in "iu"
    floats = widened and a.dtype.kind == "f" and jnp.issubdtype(dtype, jnp.floating)
    return a.astype(dtype) if integers or floats else a
