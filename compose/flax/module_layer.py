"""The base class of layers that run Flax modules, Linen or NNX: planning and errors."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import jax

from compose.core.errors import ShapeError, shape_text
from compose.core.layer import Layer
from compose.core.plan import Plan, planning, specs

WORDLESS = (
    "to give a Flax module a name, register a subclass of compose.flax.LinenLayer or NnxLayer with @compose.register"
)


class ModuleLayer(Layer):
    """A layer that runs a Flax module; subclasses provide its arrays and its call."""

    draws = True

    def arrays(self, x) -> tuple[dict, dict]:
        """The parameters and the state for an input shaped as `x`, as `Param`s."""
        raise NotImplementedError

    def plan(self, x, scope: tuple = ()) -> Plan:
        planned = Plan(self, x, None, *self.arrays(x))
        run = lambda p, s, x: self.call(p, s, x, planning())
        with computes_on(x):
            out, _ = jax.eval_shape(run, planned.param_specs(), planned.state_specs(), x)
        return dataclasses.replace(planned, out=specs(out))


@contextlib.contextmanager
def computes_on(x) -> Iterator[None]:
    """Turn Flax's errors about inputs that do not fit into `ShapeError`."""
    try:
        yield
    except (TypeError, ValueError) as e:
        first = next(iter(str(e).strip().splitlines()), type(e).__name__)
        raise ShapeError("an input that the Flax module can compute on", f"{shape_text(x)}: {first}") from e
