"""Training steps of a port compared with those of its source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.port.ir.reference import Arrays
from compose.port.ir.weights import View
from compose.port.proof.reference import cotangents, perturbed, proving
from compose.port.proof.report import Row, compare
from compose.port.result import Result
from compose.port.train.optimizers import optimizer as ported_optimizer
from compose.port.train.optimizers.per_array import check_per_array
from compose.train.optimizers import merge, split

NOISE = 1e-15  # the relative rounding error of every number that training starts from
MARGIN = 100.0  # two programs round in different places, and more than once

Trained = Callable[[Arrays, Collection[int]], dict[int, Arrays]]


def trainable(port: Result) -> bool:
    """Whether training steps can be compared: both sides train, and nothing draws at random but by a rate."""
    trained, _ = split(port.net, port.params)
    return bool(jax.tree.leaves(trained)) and getattr(port.reference, "trains", True) and not port.draws_anyway()


def training(port: Result, checks: dict[str, int], optimizer: Any, seed: int, tolerance: float) -> list[Row]:
    """Compare how far every array moves: one row for each check, which is a name and a number of steps.

    Both sides train once and are compared on the way. Adam divides a gradient by its own size, and the gradient of a
    bias before batch norm is pure rounding, so such an array moves by noise in the source, too. An array that differs
    is skipped if perturbing the start by 1e-15 moves ours as far; the row says how many were. At least one array must
    remain. A model without arrays has nothing to compare.
    """
    if not port.graph.arrays:
        return [Row(name, "no weights, so nothing moves", 0.0, True) for name in checks]
    optimizer = optimizer if optimizer is not None else port.reference.default_optimizer()
    check_per_array(port.weights, optimizer, type(optimizer).__name__)
    arrays, inputs = perturbed(port.graph.arrays, seed), port.reference.inputs()
    counts = sorted(set(checks.values()))
    with proving("a model that trains", '; verify("outputs") compares its outputs'):
        theirs = dict(zip(counts, port.reference.train(arrays, inputs, seed, optimizer, counts)))
    theirs = {n: _as_before(port.graph.unread, after, arrays) for n, after in theirs.items()}
    trainer = Trainer(port, inputs, seed, ported_optimizer(optimizer))

    def train(start: Arrays, counts: Collection[int]) -> dict[int, Arrays]:
        after = trainer.run(*port.weights.load(start), counts)
        return {n: port.weights.dump(*weights, start) for n, weights in after.items()}

    ours = train(arrays, counts)
    moved = {n: {k: (ours[n][k] - arrays[k], theirs[n][k] - arrays[k]) for k in arrays} for n in counts}
    label = lambda name: name if checks[name] == 1 else f"{checks[name]} steps"
    rows = {name: compare(label(name), moved[n], tolerance) for name, n in checks.items()}
    unequal = {checks[name] for name, row in rows.items() if not row.ok}
    noise = _noise(train, arrays, {n: ours[n] for n in sorted(unequal)}, seed)
    return [
        row if row.ok else _without_noise(row, moved[checks[name]], noise[checks[name]], tolerance)
        for name, row in rows.items()
    ]


def _as_before(unread: Iterable[View], after: Arrays, before: Arrays) -> Arrays:
    """Trained arrays whose parts that nothing reads are as they were: decay alone moves them, and nothing shows it."""
    made = {k: np.array(a) for k, a in after.items()}
    for view in unread:
        view.part(made[view.source])[...] = view.part(before[view.source])
    return made


def _without_noise(
    row: Row, moved: dict[str, tuple[np.ndarray, np.ndarray]], noise: dict[str, float], tolerance: float
) -> Row:
    """The row without the arrays that differ by rounding alone, if there are such and others remain."""
    unequal = {k for k, pair in moved.items() if not compare(row.check, {k: pair}, tolerance).ok}
    skipped = {k for k in unequal if np.max(np.abs(moved[k][0] - moved[k][1])) <= MARGIN * noise[k]}
    if not skipped or len(skipped) == len(moved):
        return row
    rest = {k: pair for k, pair in moved.items() if k not in skipped}
    kept = compare(row.check, rest, tolerance, [theirs for _, theirs in moved.values()])
    what = f"{len(rest)} arrays; {len(skipped)} moved by rounding"
    return Row(row.check, what, kept.error, kept.ok, kept.worst)


def _noise(train: Trained, arrays: Arrays, ours: dict[int, Arrays], seed: int) -> dict[int, dict[str, float]]:
    """How far every array ends from `ours`, by number of steps, if the start is rounded differently."""
    found = {n: dict.fromkeys(arrays, 0.0) for n in ours}
    for i in range(2 if ours else 0):
        rng = np.random.default_rng([seed, i, 11])
        start = {k: a * (1 + NOISE * rng.normal(size=a.shape)) if a.dtype.kind == "f" else a for k, a in arrays.items()}
        for n, after in train(start, ours).items():
            for k, array in after.items():
                found[n][k] = max(found[n][k], float(np.max(np.abs(array - ours[n][k]), initial=0.0)))
    return found


class Trainer:
    """Training of a port on `mse` to random targets, without dropout; its step is compiled once for all runs.

    Args:
        inputs: in the source's axes.
        optimizer: an optax transformation.
    """

    def __init__(self, port: Result, inputs: list[np.ndarray], seed: int, optimizer: Any):
        self._port, self._seed, self._optimizer = port, seed, optimizer
        self._net, self._inputs = port.without_dropout(), port.ours(inputs)
        self._targets: list[np.ndarray] | None = None
        self._step = jax.jit(self._traced_step)

    def run(self, params: Any, state: Any, counts: Collection[int]) -> dict[int, tuple[Any, Any]]:
        """Parameters and state after each of these numbers of steps, from one run."""
        trained, fixed = split(self._net, params)
        optimizer_state = self._optimizer.init(trained)
        targets, after = self._random_targets(params, state), {}
        for n in range(1, max(counts, default=0) + 1):
            trained, state, optimizer_state = self._step(trained, fixed, state, optimizer_state, targets)
            if n in counts:
                after[n] = jax.tree.map(np.asarray, (merge(trained, fixed), state))
        return after

    def _traced_step(self, trained, fixed, state, optimizer_state, targets):
        train, rng = getattr(self._port.reference, "has_modes", True), jax.random.key(self._seed)

        def loss(trained):
            y, after = self._net.apply(merge(trained, fixed), state, *self._inputs, train=train, rng=rng)
            return sum(jnp.mean((a - b) ** 2) for a, b in zip(jax.tree.leaves(y), targets)), after

        grads, after = jax.grad(loss, has_aux=True)(trained)
        updates, optimizer_state = self._optimizer.update(grads, optimizer_state, trained)
        return jax.tree.map(jnp.add, trained, updates), after, optimizer_state

    def _random_targets(self, params: Any, state: Any) -> list[np.ndarray]:
        if self._targets is None:
            shapes = jax.eval_shape(lambda p, s: self._net.apply(p, s, *self._inputs)[0], params, state)
            zeros = [np.zeros(o.shape) for o in jax.tree.leaves(shapes)]
            self._targets = self._port.ours_out(cotangents(self._port.theirs_out(zeros), self._seed))
        return self._targets
