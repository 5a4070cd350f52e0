"""Cases of angles and their functions, and of rounding."""

import torch

from compose import add_constant, ops, softplus
from compose import tanh as bounded
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

X = (2, 3, 4)


def case(layer, fn):
    return Case(layer, (X,), in_torch(lambda p, s, *xs: fn(*xs), turned=False))


CASES = [
    case(bounded >> ops.acos, lambda x: torch.acos(torch.tanh(x))),
    case(
        softplus >> add_constant(value=1.0) >> ops.acosh,
        lambda x: torch.acosh(1 + torch.logaddexp(x, torch.zeros_like(x))),
    ),
    case(bounded >> ops.asin, lambda x: torch.asin(torch.tanh(x))),
    case(ops.asinh, torch.asinh),
    case(ops.atan, torch.atan),
    case(bounded >> ops.atanh, lambda x: x),
    case(ops.cosh, torch.cosh),
    case(ops.sinh, torch.sinh),
    case(ops.tan, torch.tan),
    case(ops.ceil, torch.ceil),
    case(ops.floor, torch.floor),
    case(ops.round, torch.round),
]
