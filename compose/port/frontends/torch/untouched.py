"""A model as it was before it was traced: modules that keep what they compute would keep tensors without numbers."""

from __future__ import annotations

import contextlib
import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree


@contextlib.contextmanager
def left_as_it_was(model: torch.nn.Module) -> Iterator[None]:
    """Undo, after the `with` block, what it assigned to the model's modules, their buffers, lists and dicts."""
    with caches_cleared(model), _attributes_restored(model):
        yield


@contextlib.contextmanager
def caches_cleared(model: torch.nn.Module) -> Iterator[None]:
    """Empty, before the `with` block and after it, the `functools.lru_cache`s of the files that define the model.

    A function that keeps the tensors it made, as positions of patches, would give those of one trace to the next call.
    """
    caches = list(_caches(model))
    for cache in caches:
        cache.cache_clear()
    try:
        yield
    finally:
        for cache in caches:
            cache.cache_clear()


def kept_tensors(model: torch.nn.Module) -> list[torch.Tensor]:
    """The tensors that modules keep beside their parameters and buffers, as attributes or in lists and dicts."""
    own = ("_parameters", "_buffers", "_modules")
    kept = [[v for name, v in vars(m).items() if name not in own] for m in model.modules()]
    return [v for v in pytree.tree_leaves(kept) if isinstance(v, torch.Tensor)]


def _caches(model: torch.nn.Module) -> Iterator[Any]:
    files = {type(m).__module__ for m in model.modules()}
    for file in (f for f in files if f in sys.modules and not f.startswith("torch.")):
        names = list(vars(sys.modules[file]).values())
        members = (v for c in names if isinstance(c, type) and c.__module__ == file for v in vars(c).values())
        for function in (*(v for v in names if callable(v) and not isinstance(v, type)), *members):
            function = getattr(function, "__func__", function)  # of a static method
            cells = getattr(function, "__closure__", None) or ()
            inside = (c.cell_contents for c in cells if _is_filled(c))
            yield from (f for f in (function, *inside) if hasattr(f, "cache_clear"))


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


@contextlib.contextmanager
def _attributes_restored(model: torch.nn.Module) -> Iterator[None]:
    before = [(vars(m), dict(vars(m)), [_copied(v) for v in vars(m).values()]) for m in model.modules()]
    try:
        yield
    finally:
        for held, attributes, contents in before:
            held.clear()
            held.update(attributes)
            for value, copy in zip(attributes.values(), contents):
                _restore(value, copy)


def _copied(value: Any) -> Any:
    return type(value)(value) if type(value) in (dict, OrderedDict, list, set) else None


def _restore(value: Any, copy: Any) -> None:
    if copy is None or (
        len(copy) == len(value) and all(a is b for a, b in zip(value, copy)) and _same_values(value, copy)
    ):
        return
    value.clear()
    value.extend(copy) if isinstance(value, list) else value.update(copy)


def _same_values(value: Any, copy: Any) -> bool:
    return not isinstance(value, dict) or all(value[k] is copy[k] for k in copy)
