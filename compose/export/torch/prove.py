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
    """Compare the gradients of all parameters under a random cotangent, those of the module led back to the network's."""
    examples = tuple(jax.tree.map(lambda a: example(a, batch), given) for given in inputs)
    floats = lambda tree: [a for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)]
    forward = lambda params: floats(net.apply(params, state, *examples)[0])
    if not jax.tree.leaves(params):
        return
    y, back = jax.vjp(forward, params)
    noise = np.random.default_rng(0)
    cotangents = [noise.normal(size=a.shape).astype(a.dtype) for a in y]
    (want,) = back(cotangents)
    made = module(*(torch.tensor(np.asarray(a)) for a in jax.tree.leaves(as_arrays(examples))))
    outputs = [t for t in jax.tree.leaves(made) if t.is_floating_point()]
    own = {name: t for name, t in module.named_parameters() if t.requires_grad}
    pairs = [(t, torch.tensor(c)) for t, c in zip(outputs, cotangents) if t.requires_grad]
    found: dict[str, Any] = {}
    if pairs:
        outputs, given = zip(*pairs)
        grads = torch.autograd.grad(outputs, list(own.values()), given, allow_unused=True)
        found = {name: g for name, g in zip(own, grads) if g is not None}
    weights, lead = jax.vjp(lambda params: source_of(net, params, state, inputs)[1], params)
    (got,) = lead({
        name: jnp.asarray(found[name].numpy(), a.dtype) if name in found
        else np.zeros(a.shape, a.dtype if jnp.issubdtype(a.dtype, jnp.floating) else jax.dtypes.float0)
        for name, a in weights.items()
    })  # fmt: skip
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(want), jax.tree.leaves(got)):
        scale = max(1.0, float(jnp.abs(a).max(initial=0)))
        error = float(jnp.abs(a - b).max(initial=0)) / scale
        if not error <= TOLERANCE:
            name = "/".join(str(k.key) for k in path)
            raise ExportError("an export whose gradients are those of the network", f"{error:.1e} off in {name}")


def _wide(a: Any) -> Any:
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return a
    if isinstance(a, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(a.shape, jnp.float64)
    return jnp.asarray(a, jnp.float64)


def _as(a: np.ndarray, dtype: Any) -> np.ndarray:
    """Integers in the network's dtype: torch has them in int64."""
    return a.astype(dtype) if a.dtype.kind in "iu" and np.dtype(dtype).kind in "iu" else a
