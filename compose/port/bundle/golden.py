"""What a saved port holds of its source: inputs, outputs and gradients in float64, and the comparison with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.port.proof.reference import cotangents
from compose.port.proof.verify import gradients
from compose.port.result import Result


def record(port: Result, seed: int) -> dict[str, np.ndarray]:
    """Inputs, outputs and projected gradients of the source, in float64 on its own weights and in our layout."""
    with jax.enable_x64(True):
        inputs = port.reference.inputs()
        arrays = {k: np.asarray(v, np.float64) for k, v in port.graph.arrays.items()}
        theirs = port.reference.gradients(arrays, inputs, seed)
        targets = cotangents(theirs.outputs, seed)
        _, grads, _ = gradients(port, arrays, inputs, seed)
    golden: dict[str, Any] = {"inputs": np.asarray(len(inputs))}
    golden |= {f"input {i}": x for i, x in enumerate(port.ours(inputs))}
    golden |= {f"output {i}": y for i, y in enumerate(port.ours_out(theirs.outputs))}
    golden |= {f"cotangent {i}": c for i, c in enumerate(port.ours_out(targets))}
    return golden | {f"gradient {name}": number for name, number in _projected(grads)}


def compared(port: Any, golden: dict[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    """The name of every recorded output and gradient, and how far that of the network is from it.

    It does what the test beside a saved port does, which is written out so that it needs nothing of this.
    """
    with jax.enable_x64(True):
        wide = lambda tree: jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), tree)
        params, state = wide(port.params), wide(port.state)
        inputs = [golden[f"input {i}"] for i in range(int(golden["inputs"]))]
        forward = lambda params: jax.tree.leaves(port.net.apply(params, state, *inputs)[0])
        outputs, pull = jax.vjp(jax.jit(forward), params)
        for i, y in enumerate(outputs):
            yield f"output {i}", distance(y, golden[f"output {i}"])
        (grads,) = pull([golden[f"cotangent {i}"] for i in range(len(outputs))])
        for name, number in _projected(grads):
            yield f"gradient {name}", distance(number, golden[f"gradient {name}"])


def _projected(grads: Any) -> Iterator[tuple[str, Any]]:
    """Each gradient as one number by its name, along a direction that follows from the name."""
    for path, g in jax.tree_util.tree_leaves_with_path(grads):
        name = "/".join(str(key.key) for key in path)
        direction = np.random.default_rng(list(name.encode())).normal(size=g.shape)
        yield name, np.sum(np.asarray(g) * direction)


def distance(ours: Any, theirs: np.ndarray) -> float:
    """The largest difference, relative to the number or to the largest one, whichever is more."""
    ours = np.asarray(ours, float)
    if ours.shape != theirs.shape:
        return np.inf
    scale = max(1.0, float(np.max(np.abs(theirs), initial=0.0)))
    with np.errstate(invalid="ignore"):
        gap = np.abs(ours - theirs) / (scale + np.abs(theirs))
    gap = np.where((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0.0, gap)
    return float(np.max(np.where(np.isnan(gap), np.inf, gap), initial=0.0))
