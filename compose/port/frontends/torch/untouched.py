"""A model as it was before it was traced: modules that keep what they compute would keep tensors without numbers."""

from __future__ import annotations

import contextlib
import functools
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree


@contextlib.contextmanager
def left_as_it_was(model: torch.nn.Module) -> Iterator[None]:
    """Undo, after the `with` block, what it assigned to the model's modules, their buffers, lists and dicts."""
    with uncached(model), _attributes_restored(model):
        yield


@contextlib.contextmanager
def uncached(model: torch.nn.Module) -> Iterator[None]:
    """In the `with` block, functions under `functools.lru_cache` in the files that define the model compute anew.

    One that keeps the tensors it made, as positions of patches, would give those of a trace to the next call.
    """
    undo: list[Callable[[], Any]] = []
    try:
        for owner in _owners(model):
            for name, value in list(vars(owner).items()):
                undo += _uncached(owner, name, value)
        yield
    finally:
        for step in reversed(undo):
            step()


def _owners(model: torch.nn.Module) -> Iterator[Any]:
    """The files that define the model's modules, and the classes in them."""
    names = dict.fromkeys(type(m).__module__ for m in model.modules())
    for file in (sys.modules[n] for n in names if n in sys.modules and not n.startswith("torch.")):
        yield file
        yield from (c for c in list(vars(file).values()) if isinstance(c, type) and c.__module__ == file.__name__)


def _uncached(owner: Any, name: str, value: Any) -> Iterator[Callable[[], Any]]:
    """Replace caches by the functions that they wrap; yields what restores each of them."""
    wrapper = type(value) if isinstance(value, (staticmethod, classmethod)) else lambda f: f
    function = getattr(value, "__func__", value)
    if _is_cache(function):
        setattr(owner, name, wrapper(function.__wrapped__))
        yield lambda: setattr(owner, name, value)
    cells = getattr(function, "__closure__", None) if isinstance(function, types.FunctionType) else None
    for cell in (c for c in cells or () if _is_cache(_content(c))):
        cache, cell.cell_contents = cell.cell_contents, cell.cell_contents.__wrapped__
        yield lambda cell=cell, cache=cache: setattr(cell, "cell_contents", cache)


def _is_cache(function: Any) -> bool:
    own = str(getattr(function, "__module__", "")).partition(".")[0] != "torch"
    return own and isinstance(function, functools._lru_cache_wrapper)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a variable that has no value yet
        return None


def kept_tensors(model: torch.nn.Module) -> list[torch.Tensor]:
    """The tensors that modules keep beside their parameters and buffers, as attributes or in lists and dicts."""
    own = ("_parameters", "_buffers", "_modules")
    kept = [[v for name, v in vars(m).items() if name not in own] for m in model.modules()]
    return [v for v in pytree.tree_leaves(kept) if isinstance(v, torch.Tensor)]


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
