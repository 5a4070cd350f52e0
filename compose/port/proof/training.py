"""Training steps of a port beside those of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.port.proof.reference import Arrays, cotangents, perturbed
from compose.port.proof.report import Row, compare
from compose.port.train.optimizers.per_array import check_per_array
from compose.train.optimizers import merge, split

if TYPE_CHECKING:
    from compose.port.ported import Ported

NOISE = 1e-15  # relative, of every number that training starts from: what rounding does to it
MARGIN = 100.0  # two programs round at other places, and more often than once


def training(port: Ported, name: str, steps: int, optimizer: Any, seed: int, tolerance: float) -> Row:
    """Compare how far every array moves in so many steps.

    Adam divides a gradient by its own size, and that of a bias before batch norm is pure rounding: such an array moves
    by noise in the source, too. An array that is not equal is let off if ours moves as much when the start is rounded
    otherwise; the row says how many were. That never excuses all of them.
    """
    from compose.port import optimizer as ported_optimizer  # pyright: ignore[reportAttributeAccessIssue]

    optimizer = optimizer if optimizer is not None else port.original.default_optimizer()
    check_per_array(port.weights, optimizer, type(optimizer).__name__)
    arrays, inputs = perturbed(port.graph.arrays, seed), port.original.inputs()
    theirs = port.original.train(arrays, inputs, seed, optimizer, steps)

    def ours(start: Arrays) -> Arrays:
        made = train(port, *port.weights.load(start), inputs, seed, ported_optimizer(optimizer), steps)
        return port.weights.dump(*made, start)

    mine, check = ours(arrays), name if steps == 1 else f"{steps} steps"
    moved = {k: (mine[k] - arrays[k], theirs[k] - arrays[k]) for k in arrays}
    row = compare(check, moved, tolerance)
    if row.ok:
        return row
    noise = _noise(ours, arrays, mine, seed)
    unequal = {k for k, pair in moved.items() if not compare(check, {k: pair}, tolerance).ok}
    held = {k: p for k, p in moved.items() if not (k in unequal and np.max(np.abs(p[0] - p[1])) <= MARGIN * noise[k])}
    if not held or len(held) == len(moved):
        return row
    kept = compare(check, held, tolerance, [theirs[k] - arrays[k] for k in moved])
    what = f"{len(held)} arrays; {len(moved) - len(held)} moved by rounding"
    return Row(check, what, kept.error, kept.ok, kept.worst)


def _noise(ours: Any, arrays: Arrays, mine: Arrays, seed: int) -> dict[str, float]:
    """How far every array ends from where it did, if its start is rounded otherwise."""
    found = dict.fromkeys(arrays, 0.0)
    for i in range(2):
        rng = np.random.default_rng([seed, i, 11])
        start = {k: a * (1 + NOISE * rng.normal(size=a.shape)) if a.dtype.kind == "f" else a for k, a in arrays.items()}
        for k, after in ours(start).items():
            found[k] = max(found[k], float(np.max(np.abs(after - mine[k]), initial=0.0)))
    return found


def train(port: Ported, params, state, inputs, seed: int, optimizer: Any, steps: int) -> tuple[Any, Any]:
    """Our parameters and state after training steps on `mse` to random targets, without dropout."""
    net, xs, targets = port.without_dropout(), port.ours(inputs), None
    training = getattr(port.original, "has_modes", True)
    params, fixed = split(net, params)
    memory = optimizer.init(params)

    @jax.jit
    def step(params, fixed, state, memory, targets):
        def loss(params):
            y, after = net.apply(merge(params, fixed), state, *xs, train=training, rng=jax.random.key(seed))
            return sum(jnp.mean((a - b) ** 2) for a, b in zip(jax.tree.leaves(y), targets)), after

        grads, after = jax.grad(loss, has_aux=True)(params)
        updates, memory = optimizer.update(grads, memory, params)
        return jax.tree.map(jnp.add, params, updates), after, memory

    shapes = jax.eval_shape(lambda p, s: net.apply(p, s, *xs)[0], merge(params, fixed), state)
    zeros = [np.zeros(o.shape) for o in jax.tree.leaves(shapes)]
    targets = port.ours_out(cotangents(port.theirs_out(zeros), seed))
    for _ in range(steps):
        params, state, memory = step(params, fixed, state, memory, targets)
    return jax.tree.map(np.asarray, (merge(params, fixed), state))
