"""`torch.cond` outside of the exporter, where it is a plain choice, and in it, where its condition has to be data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensor

from compose.core.errors import PortError

_cond: Any = torch.cond


class ChoiceOfSizes(PortError):
    """A choice by the size of the batch."""


@contextlib.contextmanager
def plain_choices() -> Iterator[None]:
    """In the `with` block a branch is called; both are where no numbers tell which one."""
    with mock.patch.object(torch, "cond", _taken):
        yield


@contextlib.contextmanager
def traced_choices() -> Iterator[None]:
    """In the `with` block the exporter does not take one branch where the size of the batch decides."""
    with mock.patch.object(torch, "cond", _traced):
        yield


def _taken(pred: Any, true_fn: Callable, false_fn: Callable, operands: Any = ()) -> Any:
    if isinstance(pred, FakeTensor):
        made, _ = true_fn(*operands), false_fn(*operands)
        return made
    return true_fn(*operands) if pred else false_fn(*operands)


def _traced(pred: Any, true_fn: Callable, false_fn: Callable, operands: Any = ()) -> Any:
    if isinstance(pred, (torch.SymBool, torch.SymInt)):
        raise ChoiceOfSizes(
            "a choice by numbers of the input, got torch.cond of a size: a network is one for batches of any size"
        )
    return _cond(pred, true_fn, false_fn, operands)
