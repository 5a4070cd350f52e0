"""The call that a model is captured with: its tensors, which become inputs, and whatever else it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from compose.port.frontends.torch.branching import plain_choices
from compose.port.frontends.torch.untouched import uncached


@dataclass(frozen=True)
class Call:
    """Arguments by position and by name, in any nesting of tuples, lists and dicts.

    Attributes:
        leaves: everything in them, in the order of the nesting.
        tree: the nesting.
    """

    leaves: tuple[Any, ...]
    tree: Any

    @classmethod
    def of(cls, args: tuple, kwargs: dict[str, Any]) -> Call:
        leaves, tree = pytree.tree_flatten((args, kwargs))
        seen: set[int] = set()
        for i, x in enumerate(leaves):  # the exporter makes one input of a tensor that is given twice
            if isinstance(x, torch.Tensor):
                leaves[i] = x.clone() if id(x) in seen else x
                seen.add(id(x))
        return cls(tuple(leaves), tree)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        return tuple(x for x in self.leaves if isinstance(x, torch.Tensor))

    def of_tensors(self, tensors: Iterable[torch.Tensor]) -> Call:
        """The same call of other tensors."""
        given: Iterator[torch.Tensor] = iter(tensors)
        leaves = tuple(next(given) if isinstance(x, torch.Tensor) else x for x in self.leaves)
        return Call(leaves, self.tree)

    @property
    def arguments(self) -> tuple[tuple, dict[str, Any]]:
        """The arguments by position and by name."""
        return pytree.tree_unflatten(self.leaves, self.tree)

    def run(self, model: torch.nn.Module, tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
        """The outputs for other tensors, as a flat list. The tensors are copied, since a model may write to them."""
        args, kwargs = self.of_tensors(x.clone() for x in tensors).arguments
        with plain_choices(), uncached(model):
            made = model(*args, **kwargs)
        return [o for o in pytree.tree_leaves(made) if isinstance(o, torch.Tensor)]
