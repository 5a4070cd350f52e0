"""The scan over time: cells, padded steps, and the outputs of a sequence."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from compose.core.errors import DtypeError, ShapeError, shape_text
from compose.core.layer import Layer, unlisted
from compose.core.plan import specs


class Cell(Layer):
    """One step of a recurrence, a layer `(carry, x) -> (carry, y)`.

    A cell defines its parameters for the input of one step (`weights`), the shapes of its initial carry, which is
    zero, and the step in two parts: `project` needs no carry and is computed for all steps at once; `step`
    does the rest. `read` returns the output for a carry.
    """

    def weights(self, x) -> Any:
        """The parameters, for the abstract input of one step."""
        return {}

    def carry(self, x) -> Any:
        """The shapes and dtypes of the carry, for the abstract input of one step."""
        raise NotImplementedError

    def prepare(self, p, x, ctx) -> Any:
        """The parameters as the steps use them; computations that are the same for every step go here."""
        return p

    def project(self, p, x, ctx) -> Any:
        """The part of a step that depends only on its input; `x` may have a leading time axis."""
        return x

    def step(self, p, carry, z, ctx) -> Any:
        """The new carry, from the old carry and the projected input."""
        raise NotImplementedError

    def read(self, carry) -> Any:
        return carry

    def scan(self, p, carry, z, real, how, ctx) -> Any:
        """The final carry and the outputs of all steps, for the projected inputs and the mask with time first.

        `how` has the fields of `recurrent`; without `output="sequence"` there are no outputs.
        """

        def step(carry, turn):
            z, real = turn
            after = self.step(p, carry, z, ctx)
            if real is not None:
                after = jax.tree.map(lambda new, old: jnp.where(_like(real, new), new, old), after, carry)
            return after, self.read(after) if how.output == "sequence" else None

        return lax.scan(step, carry, (z, real), reverse=how.reverse, unroll=how.unroll)

    def params(self, x):
        return self.weights(_pair(x)[1])

    def forward(self, p, x, ctx):
        carry, now = _pair(x)
        p = self.prepare(p, specs(now), ctx)
        carry = self.step(p, carry, self.project(p, now, ctx), ctx)
        return carry, self.read(carry)


@unlisted
class OverTime(Cell):
    """A cell that is scanned over a sequence: `class lstm(OverTime, lstm_cell)`; fields as in `recurrent`."""

    output: Literal["sequence", "last"] = "sequence"
    return_carry: bool = False
    reverse: bool = False
    unroll: int = 1

    def params(self, x):
        return self.weights(one_step(split_sequence(x)[0]))

    def knows_mask(self, x):
        return True

    def forward(self, p, x, ctx):
        return run_over_time(self, self, p, x, ctx)


def run_over_time(cell: Any, how: Any, p, x, ctx) -> Any:
    """Scan `cell` over a sequence, with the options in the fields of `how`."""
    xs, real, carry = split_sequence(x)
    real = ctx.mask if real is None else real
    if real is not None:
        real = real_steps(real, xs.shape[:2])
    ctx = ctx.but(mask=None)  # a cell has no steps
    now = one_step(xs)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), cell.carry(now))
    if carry is not None and specs(carry) != specs(zeros):
        raise ShapeError(f"an initial carry {shape_text(specs(zeros))}", shape_text(specs(carry)))
    p = cell.prepare(p, now, ctx)
    z = cell.project(p, jnp.moveaxis(xs, 1, 0), ctx)
    carry, ys = cell.scan(p, zeros if carry is None else carry, z, None if real is None else real.T, how, ctx)
    if how.output == "last":
        y = cell.read(carry)
    else:
        y = jax.tree.map(lambda a: _zero_where_padded(jnp.moveaxis(a, 0, 1), real), ys)
    return (y, carry) if how.return_carry else y


def split_sequence(x) -> tuple[Any, Any, Any]:
    """The parts of a sequence layer's input: the steps; lengths, a mask or None; the initial carry or None."""
    xs, *rest = x if isinstance(x, tuple) else (x,)
    if not hasattr(xs, "ndim") or xs.ndim < 3:
        hint = "add the axis with reshape(-1, 1)" if getattr(xs, "ndim", 0) == 2 else ""
        raise ShapeError("a sequence (batch, time, ..., features)", f"shape {shape_text(xs)}", hint)
    if not jnp.issubdtype(xs.dtype, jnp.inexact):
        raise DtypeError("a floating-point sequence", f"{xs.dtype}", "for integer ids, put embedding(...) first")
    real = carry = None
    for part in rest:
        if getattr(part, "ndim", 0) == 1 and jnp.issubdtype(part.dtype, jnp.inexact):
            raise DtypeError("lengths that are integers", f"{part.dtype}", "use lengths.astype('int32')")
        if hasattr(part, "dtype") and not jnp.issubdtype(part.dtype, jnp.inexact):
            real = part
        else:
            carry = part
    if len(rest) > (real is not None) + (carry is not None):
        raise ShapeError("a sequence, its lengths or mask, and an initial carry", shape_text(x))
    return xs, real, carry


def one_step(xs) -> jax.ShapeDtypeStruct:
    """The abstract input of one step of `(batch, time, ...)`."""
    return jax.ShapeDtypeStruct((xs.shape[0], *xs.shape[2:]), xs.dtype)


def real_steps(lengths_or_mask, shape: tuple[int, ...]) -> Any:
    """Lengths `(batch,)` or a mask `(batch, time)` as a mask, True where a step is not padding."""
    batch, time = shape
    if lengths_or_mask.dtype == jnp.bool_:
        if lengths_or_mask.shape != (batch, time):
            raise ShapeError(f"a mask of shape (batch, time) = ({batch}, {time})", str(tuple(lengths_or_mask.shape)))
        return lengths_or_mask
    if lengths_or_mask.shape != (batch,):
        raise ShapeError(
            f"one length for each of the {batch} sequences",
            f"shape {shape_text(lengths_or_mask)}",
            "a mask has to be boolean" if lengths_or_mask.ndim == 2 else "",
        )
    if not isinstance(lengths_or_mask, Tracer) and lengths_or_mask.size:
        known = np.asarray(lengths_or_mask)
        if known.min() < 0 or known.max() > time:
            raise ShapeError(f"lengths from 0 to {time}, the number of steps", f"{known.min()} to {known.max()}")
    return jnp.arange(time) < lengths_or_mask[:, None]


def _pair(x) -> tuple:
    if not isinstance(x, tuple) or len(x) != 2:
        raise ShapeError(
            "a carry and the input of one step", shape_text(x), "for a whole sequence, use recurrent(cell)"
        )
    return x


def _like(real, array):
    return real.reshape(real.shape + (1,) * (array.ndim - real.ndim))


def _zero_where_padded(ys, real):
    return ys if real is None else jnp.where(_like(real, ys), ys, 0)
