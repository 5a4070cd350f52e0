"""Modules that stay one node of an exported graph: their class has a rule."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from compose.port.frontends.torch.registry import whole_outputs


@dataclass(frozen=True)
class Whole:
    """One call of a module that is kept whole.

    Attributes:
        module: the live module.
        path: its name in the model.
        options: the arguments of the call that are no tensors, by name.
        tensors: the names of those that are, in the order of the node's inputs.
    """

    module: torch.nn.Module
    path: str
    options: dict[str, Any]
    tensors: tuple[str, ...]


@contextlib.contextmanager
def kept_whole(model: torch.nn.Module) -> Iterator[list[Whole]]:
    calls: list[Whole] = []
    changed = []
    for path, module in model.named_modules():
        outputs = whole_outputs(type(module))
        if outputs is not None and not _adds_keys(module):
            module.forward = _stand_in(module, path, outputs, calls)
            changed.append(module)
    try:
        yield calls
    finally:
        for module in changed:
            del module.forward


def _adds_keys(module: torch.nn.Module) -> bool:
    """Whether a module is attention to more than its input, which its operations say and no layer."""
    return getattr(module, "bias_k", None) is not None or getattr(module, "add_zero_attn", False)


def _stand_in(module, path: str, outputs: Callable, calls: list[Whole]) -> Callable:
    signature = inspect.signature(type(module).forward)
    op = _whole_op()

    def forward(*args, **kwargs):
        bound = signature.bind(module, *args, **kwargs)
        bound.apply_defaults()
        given = {k: v for k, v in list(bound.arguments.items())[1:]}
        tensors = {k: v for k, v in given.items() if isinstance(v, torch.Tensor)}
        made = outputs(module, **given)
        many = isinstance(made, tuple)
        empty = [t for t in (made if many else (made,)) if t is not None]
        shapes = [list(t.shape) for t in empty]
        calls.append(Whole(module, path, {k: v for k, v in given.items() if k not in tensors}, tuple(tensors)))
        sizes, ranks = [n for s in shapes for n in s], [len(s) for s in shapes]
        results = iter(op(list(tensors.values()), sizes, ranks, empty[0].dtype, len(calls) - 1))
        if not many:
            return next(results)
        return tuple(None if t is None else next(results) for t in made)

    return forward


@functools.cache
def _whole_op():
    @torch.library.custom_op("compose::whole", mutates_args=())
    def whole(
        inputs: list[torch.Tensor], sizes: list[int], ranks: list[int], dtype: torch.dtype, call: int
    ) -> list[torch.Tensor]:
        return _empty(inputs, sizes, ranks, dtype)

    whole.register_fake(lambda inputs, sizes, ranks, dtype, call: _empty(inputs, sizes, ranks, dtype))
    return whole


def _empty(inputs, sizes, ranks, dtype):
    made, start = [], 0
    for rank in ranks:
        made.append(inputs[0].new_empty(sizes[start : start + rank], dtype=dtype))
        start += rank
    return made


def is_whole(node: torch.fx.Node) -> bool:
    """Whether a node is the call of a module that one rule reads."""
    return str(node.target).startswith("compose.whole")
