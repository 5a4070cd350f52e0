"""`compose summary FILE`: show the contents of a model file."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from compose.summary import one_example
from compose.train import load


def show(file: Path) -> None:
    """Print the expression, the summary table and the scores of the last epoch."""
    trained = load(file)
    print(trained.net, end="\n\n")
    Console(highlight=False).print(trained.net.summary(*one_example(trained.inputs)))
    if trained.history:
        last = {k: v for k, v in trained.history[-1].items() if k not in ("epoch", "seconds")}
        print(f"\ntrained     {len(trained.history)} epochs: " + ", ".join(f"{k} {v:.4g}" for k, v in last.items()))
