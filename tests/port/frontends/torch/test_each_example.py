"""What a model holds or computes once, repeated for each example: tokens, queries, prompts, states to start from."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import layer_norm, linear, scaled_dot_product_attention

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs


class Model(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn
        shapes = {"b": (4,), "w": (4, 4), "q": (1, 3, 4), "p": (3, 4), "t": (2, 3, 4), "h": (1, 1, 4)}
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape)))
        self.register_buffer("c", torch.randn(1, 3, 4))
        self.attend, self.gru = nn.MultiheadAttention(4, 2, batch_first=True), nn.GRU(4, 4, batch_first=True)

    def forward(self, x):
        return self.fn(self, x)


def ported(name):
    torch.manual_seed(0)
    return port.from_torch(Model(CASES[name]), torch.randn(5, 4))


CASES = {
    "read twice": lambda m, x: x @ m.w + m.b[None].repeat(len(x), 1) * m.b,
    "broadcast twice": lambda m, x: m.b.expand(x.shape) * (x @ m.w) + m.b.expand(x.shape),
    "a product": lambda m, x: (m.w[None].repeat(len(x), 1, 1) @ x[:, :, None])[..., 0] * m.b,
    "a product that is computed": lambda m, x: torch.bmm((m.q @ m.w).expand(len(x), -1, -1), x[:, :, None]),
    "tokens": lambda m, x: torch.cat([m.q.repeat(len(x), 1, 1), x[:, None]], 1) @ m.w,
    "computed": lambda m, x: torch.cat([torch.relu(m.q @ m.w).repeat(len(x), 1, 1), x[:, None]], 1) @ m.w,
    "computed, expanded": lambda m, x: torch.cat([(m.q @ m.w).expand(len(x), 3, 4), x[:, None]], 1),
    "interleaved": lambda m, x: torch.einsum("bqd,bd->bq", m.q.repeat_interleave(len(x), 0), x),
    "rows interleaved": lambda m, x: m.p.repeat_interleave(2, 0) + x[:, None],
    "einsum": lambda m, x: torch.einsum("bqd,bd->bq", m.p[None].expand(len(x), -1, -1), x),
    "einsum, read twice": lambda m, x: torch.einsum("bqd,bd->bq", m.p[None].expand(len(x), -1, -1), x) @ m.p,
    "einsum, of the weight's axis": lambda m, x: torch.einsum("bqd,kd->bqk", m.q.expand(len(x), -1, -1), x[:2] * 0 + 1),
    "times ones": lambda m, x: torch.cat([torch.ones(len(x), 1) * m.b, x], 1) * 2,
    "times ones, computed": lambda m, x: torch.cat([torch.ones(len(x), 1) * torch.relu(m.b), x], 1),
    "times ones of more axes": lambda m, x: torch.stack([torch.ones(len(x), 3, 1) * m.b, x[:, None].expand(-1, 3, 4)]),
    "a product of ones": lambda m, x: torch.cat([linear(torch.ones(len(x), 4), m.w), x], 1),
    "plus zeros": lambda m, x: torch.stack([x, torch.zeros_like(x) + m.b], 1),
    "where": lambda m, x: torch.stack([torch.where(m.b.expand(len(x), 4) > 0, m.b, torch.zeros(len(x), 4)), x], 1),
    "several": lambda m, x: torch.cat([m.p.expand(len(x), 3, 4) * m.b, m.q.expand(len(x), -1, -1)], 1) + x[:, None],
    "an activation after it": lambda m, x: torch.cat([torch.relu(m.q.expand(len(x), -1, -1)), x[:, None]], 1),
    "layers after it": lambda m, x: torch.cat([layer_norm(m.q.expand(len(x), -1, -1) @ m.w, (4,)), x[:, None]], 1),
    "another shape after it": lambda m, x: torch.cat([m.q.expand(len(x), -1, -1).reshape(len(x), 12), x], 1),
    "axes moved after it": lambda m, x: torch.stack([m.q.expand(len(x), 3, 4).mT[:, :, 0], x], 1),
    "beside one number": lambda m, x: x.sum() * m.q.expand(len(x), -1, -1) + x[:, None],
    "a step of each": lambda m, x: m.q.expand(len(x), -1, -1)[torch.arange(len(x)), (x[:, 0] > 0).long()],
    "the batch second": lambda m, x: torch.cat([torch.relu(m.p)[:, None].repeat(1, len(x), 1), x[None]], 0).mT,
    "rows of each example": lambda m, x: torch.bmm(m.t.repeat(len(x), 1, 1), x.repeat_interleave(2, 0)[:, :, None]),
    "computed rows": lambda m, x: torch.bmm((m.t * 2).repeat(len(x), 1, 1), x.repeat_interleave(2, 0)[:, :, None]),
    "attention": lambda m, x: m.attend((m.q @ m.w).expand(len(x), -1, -1), x[:, None], x[:, None])[0],
    "attention as a function": lambda m, x: scaled_dot_product_attention(m.q.expand(len(x), -1, -1), *[x[:, None]] * 2),
    "a state to start from": lambda m, x: m.gru(x[:, None], torch.tanh(m.h).repeat(1, len(x), 1))[0],
    "a buffer, computed": lambda m, x: torch.cat([(m.c @ m.w).expand(len(x), -1, -1), x[:, None]], 1),
    "outputs": lambda m, x: (m.q.expand(len(x), -1, -1) * 2, (m.q @ m.w).expand(len(x), -1, -1), x),
}


@proofs(CASES, level="steps")
def test_equal(name, level):
    assert ported(name).verify(level).ok


TEXTS = {
    "broadcast twice": ["(h := parameter(4, batch=False)(x)) * fc(4, bias=False)(x)"],
    "einsum": ["fc(3, bias=False)"],
    "times ones": ["branch(parameter(4), identity, join=concat)"],
    "plus zeros": ["branch(identity, parameter(4), join=stack_inputs)"],
    "tokens": ["class_token(count=3)"],
    "computed, expanded": ["join=matmul", "expand_batch"],
    "another shape after it": ["compose_seq(parameter(3, 4), flatten)"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_text(name):
    text = str(ported(name).net)
    assert all(part in text for part in TEXTS[name])
    assert "zeros_like" not in text


def test_several_rows_one_after_the_other_are_refused_at_their_line():
    fn = lambda m, x: m.p.repeat_interleave(len(x), 0) * x.repeat(3, 1)
    with pytest.raises(PortError, match=r"one row repeated for each example[^/]*/.*test_each_example.py:\d+"):
        port.from_torch(Model(fn), torch.randn(5, 4))
