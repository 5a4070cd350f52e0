"""Operations without a rule, lowered by those that torch decomposes them into."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.torch.rules.single_operations import verified

ALIASES = {
    "multiply": lambda x: torch.multiply(x, x),
    "subtract": lambda x: torch.subtract(x, 2 * x, alpha=3),
    "absolute": torch.absolute,
    "clip": lambda x: torch.clip(x, -0.5, 0.5),
    "concat": lambda x: torch.concat([x, 2 * x], -1),
    "narrow": lambda x: x.narrow(2, 1, 3),
    "rot90": lambda x: torch.rot90(x, 1, (1, 2)),
}
COMPOSITE = {
    "mse": lambda x: F.mse_loss(x, 2 * x, reduction="none"),
    "cross entropy": lambda x: F.cross_entropy(x.mean(1), x.argmax(-1)[:, 0], reduction="none"),
    "addcdiv": lambda x: torch.addcdiv(x, x, 1 + x**2, value=0.5),
    "baddbmm": lambda x: torch.baddbmm(x[:, :, :3], x, x.mT),
    "lerp": lambda x: torch.lerp(x, x**2, 0.3),
    "logaddexp": lambda x: torch.logaddexp(x, 2 * x),
    "distances": lambda x: torch.cdist(x, 2 * x),
    "statistics of the batch": lambda x: F.layer_norm(x, (6,), 1 + x[0, 0], x[0, 1])[:1],
    "replication": lambda x: F.pad(x, (2, 1), mode="replicate"),
}


@pytest.mark.parametrize("name", ALIASES)
def test_another_name(name):
    verified(ALIASES[name])


@pytest.mark.parametrize("name", COMPOSITE)
def test_composite(name):
    verified(COMPOSITE[name])


class Joined(nn.Module):
    """What is joined with a constant and a buffer: no part may be dropped."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(6.0).reshape(1, 6))

    def forward(self, x):
        return torch.vstack([x[:1], self.table, torch.ones(2, 6)])


def test_constants_are_joined_with_values():
    ported = port.from_torch(Joined(), torch.randn(4, 6))
    assert ported.verify("gradients").ok


class MeanOfOnes(nn.Module):
    def forward(self, x):
        return x.sum(0) / torch.ones_like(x).sum(0)


def test_a_count_of_examples_is_refused():
    with pytest.raises(PortError, match="size of the batch"):
        port.from_torch(MeanOfOnes(), torch.randn(4, 6))


class BatchStatistics(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("var", torch.ones(6))

    def forward(self, x):
        return F.batch_norm(x, self.mean.clone(), self.var.clone(), training=True)


def test_statistics_of_each_batch_in_inference():
    assert port.from_torch(BatchStatistics(), torch.randn(4, 6)).verify("gradients").ok


class Lengths(nn.Module):
    def forward(self, x):
        return F.normalize(x, dim=1).cumsum(1) / x.shape[1]


def test_lengths_that_a_decomposition_reads_are_kept_or_fixed():
    # The proof runs at another length too, which the network takes, or refuses by `ensure_shape`.
    ported = port.from_torch(Lengths(), torch.randn(4, 5, 6))
    assert ported.verify("gradients").ok


class First(nn.Module):
    def forward(self, x, y):
        return x.view_as(y)


def test_a_model_that_gives_one_of_its_inputs():
    ported = port.from_torch(First(), torch.randn(4, 6), torch.randn(4, 6))
    assert str(ported.net) == 'at("0")' and ported.verify("gradients").ok


class Calls(nn.Module):
    """A function of all inputs, or a module."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, *inputs):
        return self.fn(*inputs)


class Itself(nn.Module):
    """Attention of a value to itself, without what it says beside."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, **options)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x, h, c):
        return self.cell(x, (h, c))


def _signs(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).sign()


TARGETS = torch.tensor([[1, 2, -1, 0, 0], [3, -1, 1, 1, 2], [0, 1, 2, 3, 4], [-1, 0, 0, 0, 0]])
WRITING = {  # operations whose parts write in place, or which torch decomposes to other numbers
    "margin": lambda: (F.margin_ranking_loss, torch.randn(4, 3), torch.randn(4, 3), _signs(4, 3)),
    "hinge": lambda: (F.hinge_embedding_loss, torch.randn(4, 3), _signs(4, 3)),
    "cosine": lambda: (F.cosine_embedding_loss, torch.randn(4, 3), torch.randn(4, 3), _signs(4)),
    "poisson": lambda: (lambda x, y: F.poisson_nll_loss(x, y, full=True), torch.randn(4, 3), torch.rand(4, 3) + 1.5),
    "labels": lambda: (nn.MultiLabelMarginLoss(), torch.randn(4, 5), TARGETS),
    "gru": lambda: (nn.GRUCell(3, 4), torch.randn(5, 3), torch.randn(5, 4)),
    "lstm": lambda: (Cell(), torch.randn(5, 3), torch.randn(5, 4), torch.randn(5, 4)),
    "unpool": lambda: (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), torch.randn(2, 3, 4, 6)),
    "added keys": lambda: (Itself(add_bias_kv=True), torch.randn(2, 5, 4)),
    "zero keys": lambda: (Itself(add_zero_attn=True), torch.randn(2, 5, 4)),
}


@pytest.mark.parametrize("name", WRITING)
def test_parts_that_write_to_their_own_results(name):
    torch.manual_seed(0)
    fn, *inputs = WRITING[name]()
    model = fn if isinstance(fn, nn.Module) else Calls(fn)
    assert port.from_torch(model, *inputs).verify("gradients").ok


PADDED = {
    "a row": (lambda x: F.pad(x, (1, 2), value=2.0), (3, 4)),
    "a plane": (lambda x: F.pad(x, (1, 2, 2, 0), value=-3.0), (6, 3, 4)),
    "around": (lambda x: F.pad(x, (2, 1), mode="circular"), (3, 4)),
}


@pytest.mark.parametrize("name", PADDED)
def test_padding_of_every_axis_but_the_batch(name):
    fn, shape = PADDED[name]
    assert port.from_torch(Calls(fn), torch.randn(*shape)).verify("gradients").ok


def test_symmetric_inputs_stay_so_at_other_sizes():
    a = torch.randn(3, 4, 4)
    model = Calls(lambda x: torch.linalg.cholesky_ex(x)[0])
    report = port.from_torch(model, a @ a.mT + torch.eye(4)).verify("gradients")
    assert report.ok
    assert "for (6, 1, 1)" in str(report)


def test_a_mask_of_keys_beside_added_ones():
    class Masked(Itself):
        def forward(self, x, hidden):
            return self.attention(x, x, x, key_padding_mask=hidden)[0]

    torch.manual_seed(0)
    hidden = torch.tensor([[False, False, True, True], [False, False, False, True], [False] * 4])
    ported = port.from_torch(Masked(add_bias_kv=True), torch.randn(3, 4, 4), hidden)
    assert ported.verify("gradients").ok
