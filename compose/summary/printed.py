"""What prints as a table with lines under it: with rich in terminals, as HTML in notebooks."""

from __future__ import annotations

import io
import shutil
from typing import Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table


class Printed:
    """The base of `Summary` and `Profile`: columns, cells, and totals.

    The first column is the path, the second the layer, which is cut where the table is too wide; columns that count
    something are aligned to the right.
    """

    columns: ClassVar[tuple[str, ...]]
    counts: ClassVar[tuple[str, ...]]

    def cells(self) -> list[tuple[str, ...]]:
        """The text of each row."""
        raise NotImplementedError

    def totals(self) -> list[tuple[str, str]]:
        """The lines under the table, each with its label."""
        raise NotImplementedError

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = self.cells()
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
        path, _, *rest = [max(map(len, column)) for column in zip(self.columns, *cells)]
        path = min(path, max(16, options.max_width // 3))
        room = options.max_width - path - sum(rest) - 2 * (len(self.columns) - 1)
        first, layer, *others = self.columns
        table.add_column(first, style="cyan", width=path, no_wrap=True, overflow="ellipsis")
        table.add_column(layer, max_width=max(room, 10), no_wrap=True, overflow="ellipsis")
        for name in others:
            table.add_column(name, justify="right" if name in self.counts else "left", no_wrap=True)
        for row in cells:
            table.add_row(*map(_plain, row))
        yield table
        yield ""
        totals = self.totals()
        width = max(len(label) for label, _ in totals)
        for label, text in totals:
            yield _plain(f"{label:<{width}}  {text}")

    def __str__(self) -> str:
        out = io.StringIO()
        width = shutil.get_terminal_size((100, 24)).columns
        # in a notebook rich displays instead of writing to the file, unless it is told otherwise
        Console(file=out, width=width, color_system=None, highlight=False, force_jupyter=False).print(self)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from compose.summary.html import table

        return table(self)


def scaled(n: float) -> str:
    """`393 k`: three significant digits and an SI prefix."""
    n = int(n)
    power = min((len(str(n)) - 1) // 3, 5)
    if power == 0:
        return str(n)
    value = n / 1000**power
    return f"{value:.{3 - min(len(str(int(value))), 3)}f} {'kMGTP'[power - 1]}"


def _plain(text: str) -> Any:
    """Text that rich does not parse as markup."""
    from rich.text import Text

    return Text(text)
