"""What a person sees of training: a bar on a terminal, a line an epoch elsewhere, nothing if told so."""

from __future__ import annotations

import time
from typing import Any


class Silent:
    """Says nothing; also the interface of the others, which are context managers too."""

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        pass

    def begin(self, epoch: int) -> None:
        """Epoch number `epoch` starts."""

    def advance(self, examples: int, scores: dict[str, float]) -> None:
        """So many more examples are done; the scores are the means of the epoch up to here."""

    def end(self, record: dict[str, float]) -> None:
        """An epoch ended with this record."""

    def note(self, text: str) -> None:
        """Something else to know."""


class Lines(Silent):
    """One plain line an epoch."""

    def __init__(self, first: int, last: int, count: int):
        self.first, self.last, self.count = first, last, count

    def end(self, record: dict[str, float]) -> None:
        self.note(self.line(record))

    def note(self, text: str) -> None:
        print(text, flush=True)

    def line(self, record: dict[str, float]) -> str:
        epoch, seconds = int(record["epoch"]), record["seconds"]
        rest = {k: v for k, v in record.items() if k not in ("epoch", "seconds")}
        width = len(str(self.last))
        return (
            f"epoch {epoch:{width}d}/{self.last}  {said(rest)}  {self.count / seconds:,.0f} examples/s  {seconds:.1f} s"
        )


class Bar(Lines):
    """A bar over the whole training with loss, metrics, examples/s and time left; a line above it an epoch."""

    def __init__(self, first: int, last: int, count: int, console: Any):
        super().__init__(first, last, count)
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[scores]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=console, transient=True)
        total = (last - first + 1) * count
        self.task = self.bar.add_task(f"epoch {first}/{last}", total=total, scores="compiling", rate="")
        self.started, self.done = None, 0

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *error) -> None:
        self.bar.stop()

    def begin(self, epoch: int) -> None:
        self.bar.update(self.task, description=f"epoch {epoch}/{self.last}")

    def advance(self, examples: int, scores: dict[str, float]) -> None:
        now = time.perf_counter()
        if self.started is None:
            self.started = now  # the first steps compile: they would only falsify the rate
        else:
            self.done += examples
        rate = f"{self.done / (now - self.started):,.0f} examples/s" if self.done else ""
        self.bar.update(self.task, advance=examples, scores=said(scores), rate=rate)

    def note(self, text: str) -> None:
        self.bar.console.print(text, highlight=False, markup=False, soft_wrap=True)


def progress(verbose: bool, first: int, last: int, count: int) -> Silent:
    """What suits the place: `Bar` on a terminal, `Lines` elsewhere, `Silent` where `verbose` is false."""
    if not verbose:
        return Silent()
    from rich.console import Console

    console = Console()
    return Bar(first, last, count, console) if console.is_terminal else Lines(first, last, count)


def said(scores: dict[str, float]) -> str:
    """`loss 0.0312  accuracy 0.9871`."""
    return "  ".join(
        f"{name} {value:.4f}" if abs(value) >= 1e-3 else f"{name} {value:.2e}" for name, value in scores.items()
    )
