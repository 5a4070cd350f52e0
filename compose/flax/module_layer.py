"""What the layers around Flax modules, Linen and NNX, have in common: their plan and what they say when they fail."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax

from compose.core.errors import ShapeError, shape_text
from compose.core.layer import Layer
from compose.core.plan import Plan, planning, specs

WORDLESS = (
    "a Flax module gets one from a class of its own under @compose.register: see compose.flax.LinenLayer, NnxLayer"
)


class ModuleLayer(Layer):
    """A layer whose body is a module of Flax; it gives the module's arrays and its call."""

    draws = True

    def arrays(self, x) -> tuple[dict, dict]:
        """The parameters and the state for an input like `x`, as `Param`s."""
        raise NotImplementedError

    def plan(self, x, scope: tuple = ()) -> Plan:
        made = Plan(self, x, None, *self.arrays(x))
        run = lambda p, s, x: self.call(p, s, x, planning())
        with computes_on(x):
            out, _ = jax.eval_shape(run, made.param_specs(), made.state_specs(), x)
        return dataclasses.replace(made, out=specs(out))


@contextlib.contextmanager
def computes_on(x) -> Iterator[None]:
    """What Flax says of an input that does not fit, as our error."""
    try:
        yield
    except (TypeError, ValueError) as e:
        first = next(iter(str(e).strip().splitlines()), type(e).__name__)
        raise ShapeError("an input that the Flax module can compute on", f"{shape_text(x)}: {first}") from e


def arguments(x: Any) -> tuple:
    """An input as the arguments of a module's call."""
    return x if isinstance(x, tuple) else (x,)
