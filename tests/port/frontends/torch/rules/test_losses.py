"""Losses that PyTorch computes by one operation, with gradients, against PyTorch."""

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

torch = pytest.importorskip("torch")
nn = torch.nn


class OfLogits(nn.Module):
    """A loss of logits that are the first input, batch first, over time."""

    def __init__(self, loss, lengths=(9, 7, 9), label_lengths=(3, 2, 4)):
        super().__init__()
        self.loss, self.lengths, self.label_lengths = loss, lengths, label_lengths
        self.scores = nn.Linear(6, 5)

    def forward(self, x, labels, *given):
        log_probs = self.scores(x).log_softmax(-1).transpose(0, 1)
        return self.loss(log_probs, labels, *(given or (self.lengths, self.label_lengths)))


def sequences(labels=None, *, time=9):
    torch.manual_seed(0)
    x = torch.randn(3, time, 6)
    if labels is None:
        labels = torch.tensor([[1, 1, 2, 0], [3, 4, 0, 0], [2, 4, 4, 1]])
    return x, labels, torch.tensor([9, 7, 9]), torch.tensor([3, 2, 4])


def proven(model, *inputs):
    ported = port.from_torch(model.double(), *(x.double() if x.is_floating_point() else x for x in inputs))
    assert ported.verify("gradients")
    return ported


@pytest.mark.parametrize("reduction", ["none", pytest.param("mean", marks=pytest.mark.slow)])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_for_any_batch(reduction, zero_infinity):
    loss = nn.CTCLoss(reduction=reduction, zero_infinity=zero_infinity)
    ported = proven(OfLogits(loss), *sequences())
    assert "ctc_loss" in str(ported.net) and "ensure_shape" not in str(ported.net)
