"""Torch's computations in float64 where a model asks for float32, or torch keeps a constant in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class Exact(TorchDispatchMode):
    """Float64 for float32: in tensors that a model makes or keeps, in casts, in torch's slope 1/6 of `hardsigmoid`."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        kwargs = {name: _wide(value) for name, value in kwargs.items()}
        if func is torch.ops.aten.hardsigmoid_backward.default:
            grad, x = args
            return torch.where((x > -3) & (x < 3), grad / 6, torch.zeros_like(grad))
        args = tuple(map(_wide, args))
        if not func._schema.is_mutable:  # a tensor that is not a buffer of the model stays float32
            args, kwargs = _promoted(args, kwargs)
        return func(*args, **kwargs)


class Epsilon(TorchFunctionMode):
    """An RMS norm without an epsilon has that of the dtype which the model came with."""

    def __init__(self, dtype: torch.dtype):
        super().__init__()
        self.value = torch.finfo(dtype).eps

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (torch.rms_norm, torch.nn.functional.rms_norm):
            return self._normed(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _normed(self, input, normalized_shape, weight=None, eps=None):
        return torch.rms_norm(input, normalized_shape, weight, self.value if eps is None else eps)


def _wide(x: Any) -> Any:
    """The dtype of more digits for one of fewer; anything else as it is."""
    return _WIDE.get(x, x) if isinstance(x, torch.dtype) else x


def _promoted(args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """The arguments with float64 for tensors of float32, as `torch.tensor(2, dtype=torch.float32)` makes them."""
    wide: Any = lambda x: x.to(_WIDE[x.dtype]) if isinstance(x, torch.Tensor) and x.dtype in _WIDE else x
    return pytree.tree_map(wide, (args, kwargs))


_WIDE = {torch.float32: torch.float64, torch.complex64: torch.complex128}


@contextlib.contextmanager
def exact(own: torch.dtype = torch.float32) -> Iterator[None]:
    """`Exact` and `Epsilon` for a model of the dtype `own`, and float64 for tensors of no given dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Exact(), Epsilon(own):
            yield
    finally:
        torch.set_default_dtype(before)
