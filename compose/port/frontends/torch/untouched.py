"""A model as it was before it was traced: modules that keep what they compute would keep tensors without numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def left_as_it_was(model: torch.nn.Module) -> Iterator[None]:
    """Undo, after the `with` block, what it assigned to the model's modules, their buffers, lists and dicts."""
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
    return type(value)(value) if type(value) in (dict, list, set) else None


def _restore(value: Any, copy: Any) -> None:
    if copy is None or (
        len(copy) == len(value) and all(a is b for a, b in zip(value, copy)) and _same_values(value, copy)
    ):
        return
    value.clear()
    value.extend(copy) if isinstance(value, list) else value.update(copy)


def _same_values(value: Any, copy: Any) -> bool:
    return not isinstance(value, dict) or all(value[k] is copy[k] for k in copy)
