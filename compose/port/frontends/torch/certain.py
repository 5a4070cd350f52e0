"""Training without chance, so that a step can be compared."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten


class Certain(TorchDispatchMode):
    """What a function drops with a rate, as `F.dropout(x, 0.5, self.training)`, is kept: a draw is its expectation.

    Dropout multiplies by a draw of `1 - rate` and divides by `1 - rate`, which leaves the value as it is.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is _aten.bernoulli_.float:
            return args[0].fill_(args[1] if len(args) > 1 else 0.5)
        if func is _aten.bernoulli.p:
            return torch.full_like(args[0], args[1])
        if func is _aten.native_dropout.default:
            return args[0].clone(), torch.ones_like(args[0], dtype=torch.bool)
        return func(*args, **(kwargs or {}))
