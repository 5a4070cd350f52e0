"""The summary of a network: layers, sizes and costs, without arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.editing import trainable
from compose.core.errors import shape_text
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import abstract, arguments, without_batch
from compose.summary.printed import Printed, scaled
from compose.summary.rows import Row, cost, count, rows


@dataclass(frozen=True, repr=False)
class Summary(Printed):
    """A network's layers, sizes and costs for one input.

    Attributes:
        rows: one per layer.
        parameters, trainable, frozen, state: numbers of elements.
        parameter_bytes, state_bytes: their size in bytes.
        flops: FLOPs of one call in inference mode; of one example if the input was given without a batch axis.
        skipped: the number of leading output axes not shown: 1 if the input was given without a batch axis, else 0.
    """

    columns = ("path", "layer", "output", "parameters", "FLOPs")
    counts = ("parameters", "FLOPs")

    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    frozen: int
    state: int
    parameter_bytes: int
    state_bytes: int
    flops: int
    skipped: int = 0

    def cells(self) -> list[tuple[str, ...]]:
        """The text of each row: path, layer, output, parameters, FLOPs."""
        return [
            (
                r.heading,
                r.layer,
                "" if r.out is None else shape_text(_cut(r.out, self.skipped)),
                f"{r.parameters:,}" if r.parameters else "",
                scaled(r.flops) if r.flops else "",
            )
            for r in self.rows
        ]

    def totals(self) -> list[tuple[str, str]]:
        """The lines under the table."""
        split = f": {self.trainable:,} trainable, {self.frozen:,} frozen" if self.frozen else ""
        lines = [("parameters", f"{self.parameters:,} ({_memory(self.parameter_bytes)}){split}")]
        if self.state:
            lines.append(("state", f"{self.state:,} ({_memory(self.state_bytes)})"))
        what = "one example" if self.skipped else "one call"
        return [*lines, ("FLOPs", f"{scaled(self.flops)}, {what}")]


def summary(net: Layer, *inputs: Any) -> Summary:
    """See `Layer.summary`."""
    planned = plan(net, abstract(inputs))
    mask = jax.tree.leaves(trainable(net, planned.param_specs()))
    sizes = [math.prod(p.shape) for p in jax.tree.leaves(planned.param_specs())]
    total, trains = sum(sizes), sum(n for n, on in zip(sizes, mask, strict=True) if on)
    return Summary(
        rows(planned), total, trains, total - trains, count(planned.state),
        _bytes(planned.param_specs()), _bytes(planned.state_specs()), cost(planned), int(without_batch(inputs)),
    )  # fmt: skip


def _memory(n: int) -> str:
    text = scaled(n)
    return f"{text}B" if " " in text else f"{text} B"


def _bytes(tree: Any) -> int:
    return sum(math.prod(p.shape) * jnp.dtype(p.dtype).itemsize for p in jax.tree.leaves(tree))


def _cut(tree: Any, skip: int) -> Any:
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape[skip:], s.dtype), tree)


def one_example(inputs: Any) -> tuple[Any, ...]:
    """The abstract inputs of a network as `summary` takes them: shapes of one example, if all are of plain floats."""
    given = arguments(inputs)
    plain = all(i.dtype == jnp.result_type(float) for i in given)
    return tuple(tuple(i.shape[1:]) for i in given) if plain else given
