"""Models whose forward pass maps or differentiates functions with `torch.func`."""

from __future__ import annotations

import pytest
import torch
from torch import func, nn
from torch.autograd import forward_ad
from torch.func import grad, vmap

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs


class Field(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.q, self.fc, self.fn = nn.Parameter(torch.randn(1, 3, 4)), nn.Linear(4, 4), fn

    def forward(self, x):
        return self.fn(self, x)

    def energy(self, x):
        return torch.tanh(self.fc(x)).square().sum()

    def layer(self, x):
        return torch.tanh(self.fc(x))


def with_aux(m, x):
    _, back, aux = func.vjp(lambda v: (m.layer(v), v * 2), x, has_aux=True)
    return back(m.fc(x))[0] + aux


MAPS = {
    "a product with a parameter": lambda m, x: torch.vmap(lambda v: m.q[0] @ v)(x),
    "a layer": lambda m, x: torch.vmap(lambda v: torch.softmax(m.fc(v), -1))(x),
    "one in another": lambda m, x: torch.vmap(lambda v: torch.vmap(lambda q: q @ v)(m.q[0]))(x),
    "a value from around it": lambda m, x: (h := torch.relu(x)) @ m.fc.weight + torch.vmap(lambda v: h.mean(0) * v)(x),
    "another axis, and an option": lambda m, x: func.vmap(lambda v, w: w @ v, (1, None), 1)(m.fc(x).T, m.q[0]),
    "a constant": lambda m, x: m.fc(x) + torch.vmap(lambda i: i * 2)(torch.arange(4)),
    "in chunks": lambda m, x: torch.vmap(m.layer, chunk_size=2)(x),
    "with dropout": lambda m, x: vmap(lambda v: nn.functional.dropout(m.fc(v), 0.5, m.training), randomness="same")(x),
    "other weights": lambda m, x: func.functional_call(
        m.fc, {"weight": m.q[0, 0].outer(m.q[0, 1]), "bias": m.q[0, 2]}, x
    ),
}
DERIVATIVES = {
    "of a sum": lambda m, x: func.grad(m.energy)(x),
    "of each example": lambda m, x: vmap(grad(m.energy))(x),
    "with the value": lambda m, x: func.grad_and_value(m.energy)(x),
    "by a weight": lambda m, x: x @ func.grad(lambda w: torch.tanh(x @ w).sum())(m.fc.weight),
    "along a direction": lambda m, x: func.jvp(m.layer, (x,), (x * 2,)),
    "pulled back": lambda m, x: func.vjp(m.layer, x)[1](torch.ones_like(x))[0],
    "pulled back, with more": with_aux,
    "pulled back in a map": lambda m, x: vmap(lambda v: func.vjp(m.layer, v)[1](v)[0])(x),
    "by rows": lambda m, x: vmap(func.jacrev(m.layer))(x),
    "by columns": lambda m, x: vmap(func.jacfwd(m.layer))(x),
    "second": lambda m, x: vmap(func.hessian(lambda v: m.layer(v).sum()))(x),
    "a divergence": lambda m, x: vmap(lambda v: torch.trace(func.jacrev(m.layer)(v)))(x),
}


def ported(fn):
    torch.manual_seed(0)
    return port.from_torch(Field(fn), torch.randn(5, 4))


@proofs(MAPS, level="steps")
def test_maps(name, level):
    assert ported(MAPS[name]).verify(level).ok


@proofs(DERIVATIVES, level="steps")
def test_derivatives(name, level):
    """Their own gradients are second derivatives."""
    assert ported(DERIVATIVES[name]).verify(level).ok


def by_levels(m, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(m.layer(forward_ad.make_dual(x, x))).tangent


def test_levels_of_derivatives_are_refused():
    with pytest.raises(PortError, match=r"a function of torch.func, such as torch.func.jvp"):
        ported(by_levels)


def test_what_was_there_before_is_there_after():
    before = func.vjp, func.jacrev, torch._functorch.apis.vmap_impl
    ported(MAPS["a layer"])
    assert before == (func.vjp, func.jacrev, torch._functorch.apis.vmap_impl)
