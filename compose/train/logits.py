"""Find a network's final activation, so that losses can be computed from logits.

`log(softmax(z))` loses precision, and `log_softmax(softmax(z))` is a different function that trains badly
without any error. So a loss on probabilities looks for the logits: while the network is traced, the context
records every function layer with its input and output. The one whose output *is* the network's output is the
final activation, wherever it is: in a sequence, in `fc(10, softmax)`, in a branch or a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.context import Context
from compose.core.errors import ConfigError
from compose.core.function import Function
from compose.core.layer import Layer
from compose.core.precision import call_in
from compose.layers.activation.basic import sigmoid
from compose.layers.activation.softmax import log_softmax, softmax
from compose.train.structural_key import by_structure

_CLASSES, _ELEMENTS = (softmax.fn, log_softmax.fn), (sigmoid.fn,)
PROBABILITIES = {"classes": _CLASSES, "elements": _ELEMENTS}  # activations that a loss can skip


@dataclass(frozen=True)
class Outputs:
    """A network's output, and its final activation with that activation's input if there is one.

    `inner` holds all function layers that ran.
    """

    value: Any
    final: Function | None = None
    before: Any = None
    inner: tuple[Function, ...] = ()

    def logits(self, over: str) -> Any:
        """The input of the final activation, which is softmax for `over="classes"`, sigmoid for `over="elements"`.

        The output itself if there is no such activation.
        """
        if self.final is None or self.final.fn not in (*_CLASSES, *_ELEMENTS):
            return self.value
        axis = dict(self.final.options).get("axis", -1)
        if self.final.fn not in PROBABILITIES[over] or axis not in (-1, self.value.ndim - 1):
            wanted = "softmax over the last axis" if over == "classes" else "sigmoid"
            other = "binary_cross_entropy" if over == "classes" else "cross_entropy"
            raise ConfigError(
                f"a network that ends in {wanted}, or in logits, for this loss", f"a final {self.final}",
                f"end the network in {wanted.split()[0]}, or use {other}",
            )  # fmt: skip
        return self.before


def forward(net: Layer, params, state, x, ctx: Context, dtype: Any = None) -> tuple[Outputs, Any]:
    """Run the network, in `dtype` if given, and find its final activation. Returns the outputs and the new state."""
    calls: list[tuple[Function, Any, Any]] = []
    y, after = call_in(dtype, net, params, state, x, ctx.but(on_function=lambda *call: calls.append(call)))
    steps = [(fn, z, out) for fn, z, out in calls if out is not z]
    final = next(((fn, z) for fn, z, out in reversed(steps) if out is y), (None, None))
    return Outputs(y, *final, tuple(fn for fn, _, _ in steps)), after


@by_structure
def _outputs(values) -> Any:
    """For a network, its output, compiled."""
    return jax.jit(lambda params, state, x: forward(values()[0], params, state, x, Context())[0].value)


def refuse_hidden_probabilities(net: Layer, params, state, x, over: str) -> None:
    """Raise `ConfigError` if the outputs are probabilities but no final activation was found to skip.

    Values are computed only if there is a reason to suspect it: a softmax further inside, or a custom function.
    """
    found: list[Outputs] = []

    def run(params, state, x):
        found.append(forward(net, params, state, x, Context())[0])
        return found[0].value

    jax.eval_shape(run, params, state, x)
    outputs = found[0]
    kinds = PROBABILITIES[over]
    if (outputs.final is not None and outputs.final.fn in kinds) or not any(
        fn.fn in kinds or not fn.registered for fn in outputs.inner
    ):
        return
    y = np.asarray(_outputs(net)(params, state, x).astype(jnp.float32))
    inside = y.min() >= 0 and y.max() <= 1
    if inside and (over == "elements" or np.allclose(y.sum(-1), 1, atol=1e-3)):
        last = "softmax" if over == "classes" else "sigmoid"
        raise ConfigError(
            f"logits, or {last} as the very last layer", "outputs that are already probabilities",
            f"put {last} last, outside remat and custom functions, so that the loss can skip it",
        ).locate(net)  # fmt: skip
