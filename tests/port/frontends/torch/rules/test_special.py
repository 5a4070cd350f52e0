"""Special functions, remainders and angles."""

from __future__ import annotations

import pytest
import torch

from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "remainders": lambda x: torch.remainder(x, 0.7) + torch.fmod(x, 0.3 + x.mean(-1, keepdim=True).abs()),
    "rounded quotients": lambda x: x + x.div(0.3, rounding_mode="floor") * x + x.div(0.3, rounding_mode="trunc"),
    "angles": lambda x: torch.atan2(x, x.flip(-1)) + torch.hypot(x, 1 + x),
    "Bessel": lambda x: torch.special.i0(x) + torch.special.i1(x) + torch.special.i0e(x) + torch.special.i1e(x),
    "Gauss": lambda x: torch.special.log_ndtr(x) + torch.special.erfcx(x) + torch.special.ndtri(x.sigmoid()),
    "extremes": lambda x: torch.max(x, 2 * x) + torch.fmax(x, 0.1 * x) + torch.min(x, x.flip(1)),
    "gaps": lambda x: torch.nan_to_num(torch.where(x > 0, x, torch.nan), nan=0.5) + x,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])
