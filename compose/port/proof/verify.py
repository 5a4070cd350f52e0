"""The proof that a port is equal: weights, outputs, gradients, training steps, in float64 on perturbed weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import PortError
from compose.port.proof.finite_differences import Differences
from compose.port.proof.reference import Arrays, cotangents, perturbed
from compose.port.proof.report import Report, Row, compare
from compose.port.proof.training import training

if TYPE_CHECKING:
    from compose.port.ported import Ported

LEVELS = ("weights", "outputs", "gradients", "step", "steps")


def verify(port: Ported, level: str, optimizer: Any = None, *, seed: int, tolerance: float, steps: int) -> Report:
    """See `Ported.verify`."""
    if level not in LEVELS:
        raise PortError(f"one of the levels {', '.join(LEVELS)}, got {level!r}")
    depth = LEVELS.index(level)
    rows = [_weights(port)]
    if depth and rows[0].ok:
        with jax.enable_x64(True):
            rows += (_outputs if depth == 1 else _gradients)(port, seed, tolerance)
            for name, count in (("step", 1), ("steps", steps)):
                if LEVELS.index(name) <= depth:
                    rows.append(training(port, name, count, optimizer, seed, tolerance))
    report = Report(port.graph.name, level, seed, tolerance, tuple(rows))
    if not report.ok:
        raise PortError(f"{report}\n{_blame(port, report, seed)}")
    return report


def _weights(port: Ported) -> Row:
    wrong = port.weights.unused(port.graph.arrays, port.graph.unread)
    params, state = port.weights.load(port.graph.arrays)
    port.check(params, state)
    return Row("weights", f"each of {len(port.graph.arrays)} arrays used once", 0.0, not wrong, ", ".join(wrong))


def _outputs(port: Ported, seed: int, tolerance: float) -> list[Row]:
    arrays, inputs = perturbed(port.graph.arrays, seed), port.original.inputs()
    theirs = port.original.outputs(arrays, inputs)
    forward, given = network(port, arrays, inputs, spend=True)
    return _compared(port.theirs_out([np.asarray(o) for o in jax.tree.leaves(forward(*given))]), theirs, tolerance)


def _gradients(port: Ported, seed: int, tolerance: float) -> list[Row]:
    arrays, inputs = perturbed(port.graph.arrays, seed), port.original.inputs()
    theirs = port.original.gradients(arrays, inputs, seed)
    outputs, pull = run(port, arrays, inputs)
    rows = _compared(outputs, theirs.outputs, tolerance)
    if rows[0].ok:
        params, xs = pull(cotangents(theirs.outputs, seed))
        if isinstance(theirs, Differences):
            return rows + theirs.rows(xs, _trained(port, params, arrays))
        every = [*theirs.inputs, *theirs.weights.values()]
        pairs = {f"input {i}": pair for i, pair in enumerate(zip(xs, theirs.inputs))}
        rows.append(compare("gradients", pairs, tolerance, every))
        mine = _trained(port, params, arrays)
        pairs = {k: (mine.get(k, np.zeros_like(g)), g) for k, g in theirs.weights.items()}
        rows.append(compare("gradients", pairs, tolerance))
        if every and not any(map(np.any, every)):
            rows.append(Row("gradients", "one that is not zero", 0.0, False, "zero everywhere, which proves nothing"))
    return rows


def _trained(port: Ported, gradients: Any, arrays: Arrays) -> Arrays:
    """Gradients of parameters as those of the source's arrays."""
    made = port.weights.dump(gradients, port.zero_state(), {k: np.zeros_like(v) for k, v in arrays.items()})
    names = {record.take.source for record in port.weights if record.tree == "params"}
    return {name: g for name, g in made.items() if name in names}


def _compared(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float) -> list[Row]:
    rows = [compare("outputs", {f"output {i}": pair for i, pair in enumerate(zip(ours, theirs))}, tolerance)]
    if any(o.size > 1 and np.ptp(o) == 0 for o in theirs):
        rows.append(Row("outputs", "outputs that vary", 0.0, False, "a constant output, which proves nothing"))
    return rows


def network(
    port: Ported, arrays: Arrays, inputs: list[np.ndarray], spend: bool = False
) -> tuple[Any, tuple[Any, list]]:
    """Our network as a function of its parameters and floating-point inputs, and these two.

    With `spend` the arrays are let go as they are read: both sides of a large model do not fit.
    """
    params, state = port.weights.load(arrays, jnp.asarray, spend)
    xs = port.ours(inputs)
    floats = [i for i, x in enumerate(xs) if np.issubdtype(x.dtype, np.floating)]

    @jax.jit
    def forward(params, floating):
        given = list(xs)
        for i, x in zip(floats, floating):
            given[i] = x
        return port.net.apply(params, state, *given)[0]

    return forward, (params, [jnp.asarray(xs[i]) for i in floats])


def run(port: Ported, arrays: Arrays, inputs: list[np.ndarray]) -> tuple[list[np.ndarray], Any]:
    """Our outputs in the source's axes, and the pullback to parameters and floating-point inputs."""
    forward, given = network(port, arrays, inputs)
    outputs, pull = jax.vjp(forward, *given)
    floats = [i for i, x in enumerate(inputs) if np.issubdtype(x.dtype, np.floating)]

    def pullback(theirs: list[np.ndarray]):
        grads, back = pull(jax.tree.unflatten(jax.tree.structure(outputs), port.ours_out(theirs)))
        return jax.tree.map(np.asarray, grads), [port.theirs_in(i, np.asarray(g)) for i, g in zip(floats, back)]

    return port.theirs_out([np.asarray(o) for o in jax.tree.leaves(outputs)]), pullback


def _blame(port: Ported, report: Report, seed: int) -> str:
    from compose.port.proof.divergence import first_divergence

    return first_divergence(port, report, seed)
