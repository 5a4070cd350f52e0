"""The proof: outputs at three batch sizes, and the gradients of all parameters, in float64."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from compose.core.layer import Layer
from compose.core.plan import plan, specs
from compose.core.run import as_arrays, pack
from compose.export.errors import ExportError
from compose.export.proof import Report, example
from compose.export.torch.convert import source_of, tensors

TOLERANCE = 1e-10
BATCH = 3


def proven(net: Layer, params: Any, state: Any, inputs: tuple, made: Any, batch: int | None) -> Report:
    """The report. Raises `ExportError` if an output or a gradient differs."""
    with jax.enable_x64(True):
        params, state, inputs = jax.tree.map(_wide, (params, state, inputs))
        kinds = [leaf.dtype for leaf in jax.tree.leaves(plan(net, specs(as_arrays(pack(inputs)))).out)]
        module = made.module().double()
        module.load_state_dict(tensors(source_of(net, params, state, inputs)[1]), strict=True)

        def run(*arrays: Any) -> list:
            with torch.no_grad():
                y = module(*(torch.tensor(np.asarray(a)) for a in arrays))
            return [_as(np.asarray(t.detach()), kind) for t, kind in zip(jax.tree.leaves(y), kinds, strict=True)]

        run.name = "torch"  # pyright: ignore[reportFunctionMemberAccess]
        report = Report.of(net, params, state, inputs, run, batch)
        report.check()
        _gradients(net, params, state, inputs, module, batch or BATCH)
    return report


def _gradients(net: Layer, params: Any, state: Any, inputs: tuple, module: Any, batch: int) -> None:
    """Compare the gradients of all parameters under a random cotangent; the module's are led back to the network's."""
    examples = tuple(jax.tree.map(lambda a: example(a, batch), given) for given in inputs)
    if not jax.tree.leaves(params):
        return
    output = lambda params: _floats(net.apply(params, state, *examples)[0])
    noise = np.random.default_rng(0)
    cotangents = [noise.normal(size=a.shape).astype(a.dtype) for a in jax.eval_shape(output, params)]
    (want,) = jax.jit(lambda params: jax.vjp(output, params)[1](cotangents))(params)
    found = _of_module(module, jax.tree.leaves(as_arrays(examples)), cotangents)
    written = lambda params: source_of(net, params, state, inputs)[1]
    floating = lambda a: jnp.issubdtype(a.dtype, jnp.floating)
    nothing = lambda a: np.zeros(a.shape, a.dtype if floating(a) else jax.dtypes.float0)
    weights = jax.eval_shape(written, params)
    found = {name: found[name] if name in found else nothing(a) for name, a in weights.items()}
    (got,) = jax.jit(lambda params: jax.vjp(written, params)[1](found))(params)
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(want), jax.tree.leaves(got)):
        scale = max(1.0, float(jnp.abs(a).max(initial=0)))
        error = float(jnp.abs(a - b).max(initial=0)) / scale
        if not error <= TOLERANCE:
            name = "/".join(str(k.key) for k in path)
            raise ExportError("an export whose gradients are those of the network", f"{error:.1e} off in {name}")


def _of_module(module: Any, arrays: list, cotangents: list) -> dict[str, Any]:
    """The gradients of the module's parameters that its outputs depend on, by name."""
    given = [torch.tensor(np.asarray(a)) for a in arrays]
    floats = [t.requires_grad_() for t in given if t.is_floating_point()]
    own = {name: t for name, t in module.named_parameters() if t.requires_grad}
    outputs = [t for t in jax.tree.leaves(module(*given)) if t.is_floating_point()]
    pairs = [(t, torch.tensor(c)) for t, c in zip(outputs, cotangents) if t.requires_grad]
    if not pairs or not own:
        return {}
    outputs, seeds = zip(*pairs)
    # Those of the inputs too: torch's group norm crashes where its input needs no gradient.
    found = torch.autograd.grad(outputs, [*own.values(), *floats], seeds, allow_unused=True)
    return {name: jnp.asarray(g.numpy()) for name, g in zip(own, found) if g is not None}


def _floats(tree: Any) -> list:
    return [a for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)]


def _wide(a: Any) -> Any:
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return a
    if isinstance(a, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(a.shape, jnp.float64)
    return np.asarray(a, np.float64)


def _as(a: np.ndarray, dtype: Any) -> np.ndarray:
    """Integers in the network's dtype: torch has them in int64."""
    return a.astype(dtype) if a.dtype.kind in "iu" and np.dtype(dtype).kind in "iu" else a
