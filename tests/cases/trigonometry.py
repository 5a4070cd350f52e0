"""Cases of angles and their functions, and of rounding."""

import torch

from compose import acos, acosh, add_constant, asin, asinh, atan, atanh, ceil, cosh, floor, round, sinh, softplus, tan
from compose import tanh as bounded
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

X = (2, 3, 4)


def case(layer, fn):
    return Case(layer, (X,), in_torch(lambda p, s, *xs: fn(*xs), turned=False))


CASES = [
    case(bounded >> acos, lambda x: torch.acos(torch.tanh(x))),
    case(
        softplus >> add_constant(value=1.0) >> acosh,
        lambda x: torch.acosh(1 + torch.logaddexp(x, torch.zeros_like(x))),
    ),
    case(bounded >> asin, lambda x: torch.asin(torch.tanh(x))),
    case(asinh, torch.asinh),
    case(atan, torch.atan),
    case(bounded >> atanh, lambda x: x),
    case(cosh, torch.cosh),
    case(sinh, torch.sinh),
    case(tan, torch.tan),
    case(ceil, torch.ceil),
    case(floor, torch.floor),
    case(round, torch.round),
]
