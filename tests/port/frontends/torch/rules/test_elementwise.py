"""Operations of torch beside its modules: products, reductions, arrangements, bounds; each against torch itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port


class Fn(nn.Module):
    """A function after a linear layer, so that there are weights whose gradients tell."""

    def __init__(self, fn):
        super().__init__()
        self.first, self.fn = nn.Linear(6, 6), fn

    def forward(self, x):
        return self.fn(self.first(x))


OPERATIONS = {
    "matmul": lambda x: x @ x.transpose(-2, -1),
    "bmm": lambda x: torch.bmm(x, x.mT),
    "einsum": lambda x: torch.einsum("bqd,bkd->bqk", x, x),
    "einsum of three": lambda x: torch.einsum("bqd,bkd,bkv->bqv", x, x, x),
    "einsum, the result left out": lambda x: torch.einsum("...qd,...kd", x, x),
    "outer product": lambda x: torch.einsum("bi,bj->bij", x[:, 0], x[:, 1]),
    "var": lambda x: x.var(-1),
    "var of all": lambda x: x - x.var(dim=(1, 2), unbiased=False, keepdim=True),
    "std": lambda x: x.std(dim=1, keepdim=True) * x,
    "max": lambda x: x.max(dim=1).values,
    "min": lambda x: x.min(-1)[0],
    "logsumexp": lambda x: x.logsumexp((1, 2)),
    "prod": lambda x: x.prod(1),
    "cumsum": lambda x: x.cumsum(1),
    "norm": lambda x: F.normalize(x, dim=-1),
    "norm of order 1": lambda x: torch.linalg.vector_norm(x, 1, dim=-1),
    "movedim": lambda x: x.movedim(1, 2) @ x.unsqueeze(0).movedim((1, 0), (0, 1)).squeeze(1) @ x.swapdims(1, 2),
    "stack": lambda x: torch.stack([x, 2 * x], 2),
    "unbind": lambda x: (lambda a, b, c: a * b + c)(*x.unbind(1)),
    "flip": lambda x: x + x.flip(1),
    "roll": lambda x: x * x.roll((1, -2), (1, 2)),
    "clamp": lambda x: x.clamp(-0.2, 0.3) + x.clamp(min=0.1) + x.clamp_max(0.2),
    "maximum": lambda x: torch.maximum(x, 2 * x) + torch.minimum(x, x * x),
    "sign": lambda x: x * torch.sign(x),
    "celu": lambda x: F.celu(x, 0.5),  # torch's gradient has 1 / alpha in float32
    "glu": lambda x: F.glu(x),
    "addcmul": lambda x: torch.addcmul(x, x, x.sigmoid(), value=0.5),
    "reshape as another": lambda x: x.reshape(-1, 18).reshape_as(x) * 2 + x,
    "windows": lambda x: F.unfold(x[:, None].expand(-1, 2, -1, -1), (2, 3), padding=1, stride=(1, 2)),
    "windows laid back": lambda x: F.fold(F.unfold(x[:, None], 2, padding=1) ** 2, (3, 6), 2, padding=1),
    "shrink": lambda x: F.hardshrink(x, 0.2) + F.softshrink(x, 0.1) + F.threshold(x, 0.1, 2.0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    torch.manual_seed(0)
    assert port.from_torch(Fn(OPERATIONS[name]), torch.randn(4, 3, 6)).verify("gradients").ok


def test_places():
    torch.manual_seed(0)
    model = Fn(lambda x: (x.argmax(-1), *x.max(1), x.argmin(1)))
    assert port.from_torch(model, torch.randn(4, 3, 6)).verify("outputs").ok


class Mixed(nn.Module):
    """Matrices that are parameters, on either side."""

    def __init__(self):
        super().__init__()
        self.right, self.left = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.randn(2, 3))
        self.heads, self.down = nn.Parameter(torch.randn(4, 3, 2)), nn.Parameter(torch.randn(6, 4))

    def forward(self, x):
        y = self.left @ (x @ self.right)
        return torch.einsum("btd,dhk->bhtk", y, self.heads), y @ self.down.T


class Attention(nn.Module):
    """As it is written by hand, over images: nothing of torch's attention in it."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Conv2d(4, 12, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(x).reshape(b, 3, 2, c // 2, h * w).unbind(1)
        weights = ((q.transpose(-2, -1) @ k) * (c // 2) ** -0.5).softmax(-1)
        return x + self.out((v @ weights.transpose(-2, -1)).reshape(b, c, h, w))


@pytest.mark.parametrize("make, shape", [(Mixed, (4, 3, 5)), (Attention, (2, 4, 3, 5))])
def test_twenty_equal_steps(make, shape):
    torch.manual_seed(0)
    assert port.from_torch(make(), torch.randn(shape)).verify("steps").ok
