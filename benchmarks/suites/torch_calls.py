"""Calls of PyTorch's test databases as modules of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class Method(torch.nn.Module):
    """A function, or a module, of the tensors in a call alone; what else is in the call is fixed.

    Args:
        fn: the function or module.
        args, kwargs: its arguments.
        taken: which of the tensors are inputs, by their place in the call; the others are buffers. By default all are.
    """

    def __init__(self, fn: Callable, args: Any, kwargs: Any, taken: set[int] | None = None):
        super().__init__()
        self.fn = fn
        leaves, self.tree = pytree.tree_flatten((tuple(args), dict(kwargs)))
        self.kept: list[Any] = []
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, torch.Tensor) and (taken is None or i in taken):
                self.kept.append(None)
            elif isinstance(leaf, torch.Tensor):
                self.register_buffer(f"fixed{i}", leaf)
                self.kept.append(f"fixed{i}")
            else:
                self.kept.append((leaf,))

    @classmethod
    def of(cls, model: torch.nn.Module, args: Any, kwargs: Any) -> tuple[torch.nn.Module, list[torch.Tensor]]:
        """The model itself where the call is of tensors by position, and the tensors."""
        tensors = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        plain = not kwargs and all(isinstance(x, torch.Tensor) for x in args)
        return (model if plain else cls(model, args, kwargs)), tensors

    def forward(self, *tensors: torch.Tensor) -> Any:
        given = iter(tensors)
        leaves = [next(given) if k is None else getattr(self, k) if isinstance(k, str) else k[0] for k in self.kept]
        args, kwargs = pytree.tree_unflatten(leaves, self.tree)
        return self.fn(*args, **kwargs)


def described(given: Any) -> str:
    """A module's arguments and the shapes of its inputs, to tell cases apart."""
    call = given.forward_input
    every = (given.constructor_input.args, given.constructor_input.kwargs, *((call.args, call.kwargs) if call else ()))
    say = lambda v: f"{tuple(v.shape)} {v.dtype}" if isinstance(v, torch.Tensor) else repr(v)[:60]
    return str(pytree.tree_map(say, every))


def no_batch(description: str) -> bool:
    """Whether a case is about inputs without a batch."""
    return any(word in description for word in ("no_batch", "unbatched", "without_batch"))


class Draws(TorchDispatchMode):
    """Whether an operation draws at random."""

    found = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found = self.found or torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))
