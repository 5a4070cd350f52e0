"""The summary object, which prints as a table: with rich in terminals, as HTML in notebooks."""

from __future__ import annotations

import io
import math
import shutil
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from compose.core.editing import trainable
from compose.core.errors import shape_text
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.run import abstract, without_batch
from compose.summary.rows import Row, cost, count, rows


@dataclass(frozen=True)
class Summary:
    """A network's layers, sizes and costs for one input.

    Attributes:
        rows: one per layer.
        parameters, trainable, frozen, state: numbers of elements.
        parameter_bytes, state_bytes: their size in bytes.
        flops: FLOPs of one call in inference mode; of one example if the input was given without a batch axis.
        skipped: the number of leading output axes not shown: 1 if the input was given without a batch axis, else 0.
    """

    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    frozen: int
    state: int
    parameter_bytes: int
    state_bytes: int
    flops: int
    skipped: int = 0

    def cells(self) -> list[tuple[str, str, str, str, str]]:
        """The text of each row: path, layer, output, parameters, FLOPs."""
        return [
            (
                "  " * r.depth + r.label + (f" × {r.times}" if r.times > 1 else ""),
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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = self.cells()
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
        widths = [max(map(len, column)) for column in zip(("path", "layer", "output", "parameters", "FLOPs"), *cells)]
        path, _, *numbers = widths
        path = min(path, max(16, options.max_width // 3))
        room = options.max_width - path - sum(numbers) - 2 * 4
        table.add_column("path", style="cyan", width=path, no_wrap=True, overflow="ellipsis")
        table.add_column("layer", max_width=max(room, 10), no_wrap=True, overflow="ellipsis")
        table.add_column("output", no_wrap=True)
        table.add_column("parameters", justify="right", no_wrap=True)
        table.add_column("FLOPs", justify="right", no_wrap=True)
        for row in cells:
            table.add_row(*map(_plain, row))
        yield table
        yield ""
        for label, text in self.totals():
            yield _plain(f"{label:<11} {text}")

    def __str__(self) -> str:
        out = io.StringIO()
        width = shutil.get_terminal_size((100, 24)).columns
        Console(file=out, width=width, color_system=None, highlight=False).print(self)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from compose.summary.html import table

        return table(self)


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


def scaled(n: int) -> str:
    """`393 k`: three significant digits and an SI prefix."""
    power = min((len(str(n)) - 1) // 3, 5)
    if power == 0:
        return str(n)
    value = n / 1000**power
    return f"{value:.{3 - min(len(str(int(value))), 3)}f} {'kMGTP'[power - 1]}"


def _memory(n: int) -> str:
    text = scaled(n)
    return f"{text}B" if " " in text else f"{text} B"


def _bytes(tree: Any) -> int:
    return sum(math.prod(p.shape) * jnp.dtype(p.dtype).itemsize for p in jax.tree.leaves(tree))


def _cut(tree: Any, skip: int) -> Any:
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape[skip:], s.dtype), tree)


def _plain(text: str) -> Any:
    """Text that rich does not parse as markup."""
    from rich.text import Text

    return Text(text)
