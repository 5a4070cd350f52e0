"""Operations of torch that reshape, join and move."""

from __future__ import annotations

import pytest
import torch

from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "movedim": lambda x: x.movedim(1, 2) @ x.unsqueeze(0).movedim((1, 0), (0, 1)).squeeze(1) @ x.swapdims(1, 2),
    "stack": lambda x: torch.stack([x, 2 * x], 2),
    "unbind": lambda x: (lambda a, b, c: a * b + c)(*x.unbind(1)),
    "flip": lambda x: x + x.flip(1),
    "roll": lambda x: x * x.roll((1, -2), (1, 2)),
    "repeat": lambda x: x.repeat(1, 2, 1) * 2,
    "repeat of one": lambda x: x[:, :1].repeat(1, 3, 1) * x[:, :1].repeat(1, 3, 2)[..., :6],
    "repeat of examples": lambda x: x.repeat(2, 1, 1),
    "repeat to more axes": lambda x: x.unsqueeze(1).repeat(1, 3, 1, 2),
    "tile": lambda x: x.tile(2, 1),
    "reshape as another": lambda x: x.reshape(-1, 18).reshape_as(x) * 2 + x,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])
