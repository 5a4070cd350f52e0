"""A module that was written, as the proof runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import torch

from compose.export.torch.convert import tensors

NARROW = ".to(torch.float32)"  # rounds in the proof too, but meets weights in float64


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """What torch makes of integers, and new tensors, are in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class TorchRun:
    """See `compose.export.source.prove.Run`."""

    name, widens = "torch", True

    def __init__(self, made: Any):
        with float64():
            self.module = replace(made, source=made.source.replace(NARROW, f"{NARROW}.double()")).module().double()

    def load(self, weights: dict[str, Any]) -> None:
        self.module.load_state_dict(tensors(weights), strict=True)

    def outputs(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        with torch.no_grad(), float64():
            y = self.module(*map(torch.tensor, arrays))
        return [np.asarray(t.detach()) for t in jax.tree.leaves(y)]

    def gradients(self, arrays: list[np.ndarray], cotangents: list[np.ndarray]) -> dict[str, np.ndarray]:
        given = [torch.tensor(a) for a in arrays]
        floats = [t.requires_grad_() for t in given if t.is_floating_point()]
        own = {name: t for name, t in self.module.named_parameters() if t.requires_grad}
        with float64():
            outputs = [t for t in jax.tree.leaves(self.module(*given)) if t.is_floating_point()]
        pairs = [(t, torch.tensor(c)) for t, c in zip(outputs, cotangents) if t.requires_grad]
        if not pairs or not own:
            return {}
        outputs, seeds = zip(*pairs)
        # Those of the inputs too: torch's group norm crashes where its input needs no gradient.
        found = torch.autograd.grad(outputs, [*own.values(), *floats], seeds, allow_unused=True)
        return {name: g.numpy() for name, g in zip(own, found) if g is not None}
