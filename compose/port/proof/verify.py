"""The proof that a port is equal: weights, outputs, gradients, training steps, in float64 on perturbed weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.dtypes import float0

from compose.core.errors import PortError
from compose.port.ir.reference import Arrays, Gradients
from compose.port.proof.branches import Inputs, every_branch, has_choices
from compose.port.proof.divergence import first_divergence
from compose.port.proof.reference import cotangents, perturbed, proving
from compose.port.proof.report import Report, Row, compare
from compose.port.proof.sizes import compared_at, other_sizes, run_at
from compose.port.proof.training import trainable, training
from compose.port.proof.witness import witnessed
from compose.port.result import Result

LEVELS = ("weights", "outputs", "gradients", "step", "steps")


def verify(
    port: Result, level: str | None, optimizer: Any = None, *, seed: int, tolerance: float, steps: int,
    also: Sequence[Any] = (),
) -> Report:  # fmt: skip
    """See `Ported.verify`."""
    level = level or ("step" if trainable(port) else "gradients")
    if level not in LEVELS:
        raise PortError(f"one of the levels {', '.join(LEVELS)}, got {level!r}")
    if steps < 1:
        raise PortError(f"at least one training step, got steps={steps}")
    depth = LEVELS.index(level)
    rows = [_weights(port)]
    if depth and rows[0].ok:
        with jax.enable_x64(True):
            rows += _everywhere(port, depth > 1, port.given(also), seed, tolerance)
            rows += witnessed(port)
            checks = {name: n for name, n in (("step", 1), ("steps", steps)) if LEVELS.index(name) <= depth}
            if checks:
                rows += training(port, checks, optimizer, seed, tolerance)
    report = Report(port.graph.name, level, seed, tolerance, tuple(rows), port.graph.notes)
    if not report.ok:
        raise PortError(f"{report}\n{first_divergence(port, report, seed)}")
    return report


def _weights(port: Result) -> Row:
    wrong = port.weights.unused(port.graph.arrays, port.graph.unread)
    params, state = port.weights.load(port.graph.arrays)
    port.check(params, state)
    return Row("weights", f"each of {len(port.graph.arrays)} arrays used once", 0.0, not wrong, ", ".join(wrong))


def _everywhere(port: Result, gradients: bool, also: list[Inputs], seed: int, tolerance: float) -> list[Row]:
    """Outputs, and gradients, for the examples, for other sizes, and for inputs that take other branches of choices."""
    arrays, inputs = perturbed(port.graph.arrays, seed), port.reference.inputs()
    compared = _with_gradients if gradients else _outputs
    rows = compared(port, arrays, inputs, seed, tolerance)
    if not rows[0].ok:
        return rows
    other = other_sizes(port, arrays, inputs, seed)
    ours = run_at(port, *port.weights.load(arrays, jnp.asarray), other)
    rows.insert(1, compared_at(other, ours, tolerance))
    if not also and not has_choices(port):
        return rows
    tried = [inputs, other.inputs] if other.inputs else [inputs]
    more, missed = every_branch(port, arrays, tried, also)
    for given in more:
        found = compared(port, arrays, given, seed, tolerance)
        rows += [replace(row, what=f"{row.what}, other numbers") for row in found]
    proofs = [row for row in rows if not row.empty]
    kinds = {row.check for row in proofs}  # it is enough that one of the inputs proves something
    rows = [*proofs, *(row for row in rows if row.empty and (not more or row.check not in kinds))]
    if has_choices(port):
        rows.append(Row("branches", "both branches of every choice", 0.0, not missed, missed))
    return rows


def _outputs(port: Result, arrays: Arrays, inputs: Inputs, seed: int, tolerance: float) -> list[Row]:
    with proving("a model that runs in float64"):
        theirs = port.reference.outputs(arrays, inputs)
    params, state = port.weights.load(arrays, jnp.asarray)
    forward, floating = _forward(port, state, inputs)
    ours = jax.jit(forward)(params, floating)
    return _compared(port.theirs_out([np.asarray(y) for y in jax.tree.leaves(ours)]), theirs, tolerance)


def _with_gradients(port: Result, arrays: Arrays, inputs: Inputs, seed: int, tolerance: float) -> list[Row]:
    with proving("a model with gradients", '; verify("outputs") compares its outputs'):
        theirs = port.reference.gradients(arrays, inputs, seed)
        outputs, params, xs = gradients(port, arrays, inputs, seed)
    rows = _compared(outputs, theirs.outputs, tolerance)
    if rows[0].ok:
        if not isinstance(theirs, Gradients):
            return rows + theirs.rows(xs, _of_source(port, params, arrays))
        every = [*theirs.inputs, *theirs.weights.values()]
        pairs = {f"input {i}": pair for i, pair in enumerate(zip(xs, theirs.inputs))}
        rows.append(compare("gradients", pairs, tolerance, every))
        ours = _of_source(port, params, arrays)
        pairs = {k: (ours.get(k, np.zeros_like(g)), g) for k, g in theirs.weights.items()}
        rows.append(compare("gradients", pairs, tolerance))
        if every and theirs.exist and not any(map(np.any, every)):
            said = "zero everywhere, which proves nothing"
            rows.append(Row("gradients", "one that is not zero", 0.0, False, said, empty=True))
    return rows


def _of_source(port: Result, gradients: Any, arrays: Arrays) -> Arrays:
    """Gradients of our parameters as gradients of the source's arrays."""
    zeros = {k: np.zeros_like(v) for k, v in arrays.items()}
    names = {record.view.source for record in port.weights if record.tree == "params"}
    return {k: g for k, g in port.weights.dump(gradients, port.zero_state(), zeros).items() if k in names}


def _compared(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float) -> list[Row]:
    rows = [compare("outputs", {f"output {i}": pair for i, pair in enumerate(zip(ours, theirs))}, tolerance)]
    if any(o.size > 1 and o.dtype.kind == "f" and np.all(o == o.flat[0]) for o in theirs):
        said = "a constant output, which proves nothing"
        rows.append(Row("outputs", "outputs that vary", 0.0, False, said, empty=True))
    return rows


def gradients(
    port: Result, arrays: Arrays, inputs: list[np.ndarray], seed: int
) -> tuple[list[np.ndarray], Any, list[np.ndarray]]:
    """Our outputs and the gradients of parameters and of floating-point inputs under the `cotangents`.

    Outputs and inputs are in the source's axes. Forward and backward pass are compiled as one program.
    """
    params, state = port.weights.load(arrays, jnp.asarray)
    forward, floating = _forward(port, state, inputs)

    @jax.jit
    def both(params, floating, cotangents):
        outputs, pull = jax.vjp(lambda *given: jax.tree.leaves(forward(*given)), params, floating)
        return outputs, *pull([c if _smooth(y) else np.zeros(y.shape, float0) for c, y in zip(cotangents, outputs)])

    shapes = jax.tree.leaves(jax.eval_shape(forward, params, floating))
    random = cotangents(port.theirs_out([np.zeros(y.shape, y.dtype) for y in shapes]), seed)
    given = [np.asarray(c, y.dtype) for c, y in zip(port.ours_out(random), shapes)]
    outputs, of_params, of_inputs = jax.tree.map(np.asarray, both(params, floating, given))
    of_inputs = [port.theirs_in(i, g) for i, g in zip(_floating(inputs), of_inputs)]
    return port.theirs_out(outputs), of_params, of_inputs


def _smooth(output: Any) -> bool:
    """Whether an output has gradients; whole numbers have none."""
    return jnp.issubdtype(output.dtype, jnp.inexact)


def _forward(port: Result, state: Any, inputs: list[np.ndarray]) -> tuple[Callable[[Any, list], Any], list]:
    """Our network as a function of its parameters and floating-point inputs, and these inputs."""
    xs, floats = port.ours(inputs), _floating(inputs)

    def forward(params: Any, floating: list) -> Any:
        filled = list(xs)
        for i, x in zip(floats, floating):
            filled[i] = x
        return port.exact.apply(params, state, *filled)[0]

    return forward, [jnp.asarray(xs[i]) for i in floats]


def _floating(inputs: list[np.ndarray]) -> list[int]:
    return [i for i, x in enumerate(inputs) if np.issubdtype(x.dtype, np.floating)]
