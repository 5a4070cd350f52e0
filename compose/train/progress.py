"""Progress display of training: a bar on a terminal, one line per epoch elsewhere, or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

PATIENCE = 1.0  # seconds that compiling may take before a line says so
WIDE = 100  # columns of a terminal that has room for the rate


class Silent:
    """Shows nothing. Also the interface of the other displays; all are context managers."""

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        pass

    def begin(self, epoch: int) -> None:
        """Epoch number `epoch` starts."""

    def advance(self, examples: int, scores: dict[str, float]) -> None:
        """`examples` more examples are done; `scores` are the means over the epoch so far."""

    def end(self, record: dict[str, float]) -> None:
        """An epoch ended with this record."""

    def compiling(self) -> AbstractContextManager:
        """A context in which the steps are compiled."""
        return nullcontext()

    def note(self, text: str) -> None:
        """Show a message."""


class Lines(Silent):
    """One line of text per epoch."""

    def __init__(self, first: int, last: int, count: int | None):
        self.first, self.last, self.count, self.seen = first, last, count, 0
        self.noted = ""

    def begin(self, epoch: int) -> None:
        self.seen = 0

    def advance(self, examples: int, scores: dict[str, float]) -> None:
        self.seen += examples

    def end(self, record: dict[str, float]) -> None:
        self.note(self.line(record))

    @contextmanager
    def compiling(self) -> Iterator[None]:
        late = threading.Timer(PATIENCE, self._tell)
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()

    def _tell(self) -> None:
        """Say that it compiles, once for programs that follow each other."""
        if self.noted != "compiling":
            self.note("compiling")

    def note(self, text: str) -> None:
        self.noted = text
        print(text, flush=True)

    def line(self, record: dict[str, float]) -> str:
        epoch, seconds = int(record["epoch"]), record["seconds"]
        rest = {k: v for k, v in record.items() if k not in ("epoch", "seconds")}
        width = len(str(self.last))
        rate = f"{(self.count or self.seen) / seconds:,.0f} examples/s"
        return f"epoch {epoch:{width}d}/{self.last}  {format_scores(rest)}  {rate}  {seconds:.1f} s"


class Bar(Lines):
    """A bar over all epochs with loss, metrics, examples/s and time left; one line per epoch above it.

    A narrow terminal has the bar and the time left; the rate is left out, and scores are cut.
    """

    def __init__(self, first: int, last: int, count: int | None, console: Any):
        super().__init__(first, last, count)
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        wide, width = console.width >= WIDE, len(f"epoch {last}/{last}")
        bar = 40 if console.width >= 120 else 10
        room = console.width - width - bar - 10 - (22 if wide else 0)  # the rest is for the scores
        columns = (
            TextColumn("{task.description}", table_column=Column(min_width=width, no_wrap=True)),
            BarColumn(bar, table_column=Column(min_width=bar, no_wrap=True)),
            TextColumn("{task.fields[scores]}", table_column=Column(max_width=max(room, 4), no_wrap=True)),
            *([TextColumn("{task.fields[rate]}")] if wide else []),
            TimeRemainingColumn(table_column=Column(min_width=7, no_wrap=True)),  # whole on a narrow terminal too
        )
        self.bar = Progress(*columns, console=console, transient=True)
        total = None if count is None else (last - first + 1) * count
        self.task = self.bar.add_task(f"epoch {first}/{last}", total=total, scores="", rate="")
        self.started, self.done = None, 0

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *error) -> None:
        self.bar.stop()

    def begin(self, epoch: int) -> None:
        super().begin(epoch)
        self.bar.update(self.task, description=f"epoch {epoch}/{self.last}")

    @contextmanager
    def compiling(self) -> Iterator[None]:
        scores = self.bar.tasks[self.task].fields["scores"]
        self.bar.update(self.task, scores="compiling")
        try:
            yield
        finally:
            self.bar.update(self.task, scores=scores)

    def advance(self, examples: int, scores: dict[str, float]) -> None:
        super().advance(examples, scores)
        now = time.perf_counter()
        if self.started is None:
            self.started = now  # the first steps include compilation, so they do not count for the rate
        else:
            self.done += examples
        rate = f"{self.done / (now - self.started):,.0f} examples/s" if self.done else ""
        self.bar.update(self.task, advance=examples, scores=format_scores(scores), rate=rate)

    def note(self, text: str) -> None:
        self.bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


def progress(verbose: bool, first: int, last: int, count: int | None) -> Silent:
    """`Bar` on a terminal, `Lines` elsewhere, `Silent` if not `verbose`."""
    if not verbose:
        return Silent()
    from rich.console import Console

    console = Console()
    return Bar(first, last, count, console) if console.is_terminal else Lines(first, last, count)


@contextmanager
def counted(verbose: bool, total: int | None) -> Iterator[Callable[[int], None]]:
    """What says how many examples more are done: a bar on a terminal, one line at the end elsewhere; or nothing."""
    if not verbose:
        yield lambda examples: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console, began = Console(), time.perf_counter()
    done: list[int] = []
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True,
                  disable=not console.is_terminal) as bar:  # fmt: skip
        task = bar.add_task("", total=total)

        def advance(examples: int) -> None:
            done.append(examples)
            bar.advance(task, examples)

        yield advance
    seconds = time.perf_counter() - began
    console.print(f"{sum(done):,} examples  {sum(done) / seconds:,.0f} examples/s  {seconds:.1f} s", highlight=False)


def format_scores(scores: dict[str, float]) -> str:
    """`loss 0.0312  accuracy 0.9871`."""
    return "  ".join(
        f"{name} {value:.4f}" if abs(value) >= 1e-3 else f"{name} {value:.2e}" for name, value in scores.items()
    )
