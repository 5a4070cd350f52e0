"""Torch's computations in float64 where a model asks for float32, or torch keeps a constant in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Exact(TorchDispatchMode):
    """Float64 for float32: in tensors that a model makes, in casts, in torch's own slope 1/6 of `hardsigmoid`."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        kwargs = {name: _wide(value) for name, value in kwargs.items()}
        if func is torch.ops.aten.hardsigmoid_backward.default:
            grad, x = args
            return torch.where((x > -3) & (x < 3), grad / 6, torch.zeros_like(grad))
        return func(*map(_wide, args), **kwargs)


def _wide(x: Any) -> Any:
    """The dtype of more digits for one of fewer; anything else as it is."""
    return _WIDE.get(x, x) if isinstance(x, torch.dtype) else x


_WIDE = {torch.float32: torch.float64, torch.complex64: torch.complex128}


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """`Exact`, and float64 for tensors of no given dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Exact():
            yield
    finally:
        torch.set_default_dtype(before)
