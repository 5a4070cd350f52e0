"""Find a network's final activation, so that losses can be computed from logits.

`log(softmax(z))` loses precision, and `log_softmax(softmax(z))` is a different function that trains badly
without any error. So a loss on probabilities looks for the logits: while the network is traced, the context
records every function layer with its input and output. The one whose output *is* the network's output is the
final activation, wherever it is: in a sequence, in `fc(10, softmax)`, in a branch or a graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Call, Context
from compose.core.errors import ConfigError
from compose.core.function import Function
from compose.core.layer import Layer
from compose.core.precision import call_in
from compose.distributed.exchange import local
from compose.layers.activation.basic import sigmoid
from compose.layers.activation.softmax import log_softmax, softmax
from compose.layers.norm.standard import unstandardize
from compose.train.structural_key import by_structure

_CLASSES, _ELEMENTS = (softmax.fn, log_softmax.fn), (sigmoid.fn,)
PROBABILITIES = {"classes": _CLASSES, "elements": _ELEMENTS}  # activations that a loss can skip


@dataclass(frozen=True)
class Outputs:
    """A network's output, or one of several, and its final activation with that activation's input if there is one.

    Attributes:
        value: the output, in float32 or wider.
        inner: the same before it was cast; the same array if it was not.
        calls: all function layers that ran and changed something, with their inputs and outputs.
        layers: the calls of all layers, the network's own last.
    """

    value: Any
    inner: Any
    calls: tuple[tuple[Function, Any, Any], ...] = ()
    layers: tuple[Call, ...] = ()

    def at(self, place: int | None) -> Outputs:
        """One of several outputs, by its place among the leaves; None for the whole."""
        if place is None:
            return self
        value, inner = (jax.tree.leaves(tree)[place] for tree in (self.value, self.inner))
        return replace(self, value=value, inner=inner)

    @property
    def _last(self) -> tuple[Function | None, Any]:
        return next(((fn, z) for fn, z, out in reversed(self.calls) if out is self.value), (None, None))

    @property
    def final(self) -> Function | None:
        return self._last[0]

    @property
    def before(self) -> Any:
        return self._last[1]

    @property
    def over(self) -> str | None:
        """The kind of probabilities that the final activation makes: of "classes" or of "elements"."""
        if self.final is None:
            return None
        return next((over for over, kinds in PROBABILITIES.items() if self.final.fn in kinds), None)

    @property
    def normalised(self) -> tuple[unstandardize, Any] | None:
        """A final `unstandardize` with its input; None if the output is no such layer's."""
        last = (call for call in reversed(self.layers) if isinstance(call.layer, unstandardize))
        return next(((call.layer, call.x) for call in last if call.y is self.inner), None)  # pyright: ignore

    def logits(self, over: str) -> Any:
        """The input of the final activation, which is softmax for `over="classes"`, sigmoid for `over="elements"`.

        The output itself if there is no such activation.
        """
        if self.over is None:
            return self.value
        final: Any = self.final
        if over == "scores":
            raise ConfigError(
                "scores of any size for this loss", f"a final {final}", f"end the network in a layer without {final}"
            )
        axis = dict(final.options).get("axis", -1)
        if final.fn not in PROBABILITIES[over] or axis not in (-1, self.value.ndim - 1):
            wanted = "softmax over the last axis" if over == "classes" else "sigmoid"
            other = "binary_cross_entropy" if over == "classes" else "cross_entropy"
            raise ConfigError(
                f"a network that ends in {wanted}, or in logits, for this loss", f"a final {final}",
                f"end the network in {wanted.split()[0]}, or use {other}",
            )  # fmt: skip
        return self.before


def forward(net: Layer, params, state, x, ctx: Context, dtype: Any = None) -> tuple[Outputs, Any]:
    """Run the network, in `dtype` if given, and keep what ran. Returns the outputs and the new state."""
    calls: list[tuple[Function, Any, Any]] = []
    layers: list[Call] = []
    watched = ctx.but(on_function=lambda *call: calls.append(call), on_call=layers.append)
    y, after = call_in(dtype, net, params, state, x, watched)
    return Outputs(y, layers[-1].y, tuple(call for call in calls if call[2] is not call[1]), tuple(layers)), after


@by_structure
def _outputs(values) -> Any:
    """For a network, its output, compiled."""
    return jax.jit(lambda params, state, x: forward(values()[0], params, state, x, Context())[0].value)


def refuse_hidden_probabilities(
    net: Layer, params, state, x, over: str, outputs: Outputs, place: int | None = None
) -> None:
    """Raise `ConfigError` if the outputs are probabilities but no final activation was found to skip.

    Values are computed only if there is a reason to suspect it in the trace `outputs`: a softmax further inside, or a
    custom function. `place` is that of the output among several.
    """
    kinds = PROBABILITIES[over]
    if outputs.over == over or not any(fn.fn in kinds or not fn.registered for fn, _, _ in outputs.calls):
        return
    params, state = local((params, state))
    y = np.asarray(jax.tree.leaves(_outputs(net)(params, state, x))[place or 0].astype(jnp.float32))
    inside = y.min() >= 0 and y.max() <= 1
    if inside and (over == "elements" or np.allclose(y.sum(-1), 1, atol=1e-3)):
        last = "softmax" if over == "classes" else "sigmoid"
        raise ConfigError(
            f"logits, or {last} as the very last layer", "outputs that are already probabilities",
            f"put {last} last, outside remat and custom functions, so that the loss can skip it",
        ).locate(net)  # fmt: skip


def traced(net: Layer, params, state, x) -> Outputs:
    """What a run of the network would compute, without computing it: tracers that tell which array is which."""
    found: list[Outputs] = []

    def run(params, state, x):
        found.append(forward(net, params, state, x, Context())[0])
        return found[0].value

    jax.eval_shape(run, params, state, x)
    return found[0]
