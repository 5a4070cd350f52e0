"""`compose summary FILE`: show the contents of a model file."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
from rich.console import Console

from compose.train import load


def show(file: Path) -> None:
    """Print the expression, the summary table and the scores of the last epoch."""
    trained = load(file)
    print(trained.net, end="\n\n")
    inputs = trained.inputs if isinstance(trained.inputs, tuple) else (trained.inputs,)
    default_dtype = all(i.dtype == jnp.result_type(float) for i in inputs)  # then the shape of one example is enough
    Console(highlight=False).print(trained.net.summary(*(tuple(i.shape[1:]) if default_dtype else i for i in inputs)))
    if trained.history:
        last = {k: v for k, v in trained.history[-1].items() if k not in ("epoch", "seconds")}
        print(f"\ntrained     {len(trained.history)} epochs: " + ", ".join(f"{k} {v:.4g}" for k, v in last.items()))
