"""Losses that PyTorch computes by one operation, with gradients, against PyTorch."""

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


@pytest.mark.slow
@pytest.mark.parametrize("labels", [None, torch.tensor([1, 1, 2, 3, 4, 2, 4, 4, 1])], ids=["rows", "flat"])
def test_ctc_of_given_lengths_is_for_that_batch(labels):
    x, labels, *_ = sequences(labels)
    assert "ensure_shape(3, " in str(proven(OfLogits(nn.CTCLoss()), x, labels).net)


def test_ctc_that_does_not_fit_has_no_gradient_with_zero_infinity():
    x, labels, _, counts = sequences()
    model = OfLogits(nn.CTCLoss(zero_infinity=True, reduction="sum"))
    proven(model, x, labels, torch.tensor([9, 1, 9]), counts)


def test_ctc_without_a_batch_is_refused():
    with pytest.raises(PortError, match=r"log-probabilities \(time, batch, classes\), got 2 axes"):
        port.from_torch(nn.CTCLoss(), torch.randn(9, 5), torch.tensor([1, 2]), torch.tensor([9]), torch.tensor([2]))


VARIANCES = {"each": lambda v: v, "row": lambda v: v[:, :1], "row without its axis": lambda v: v[:, 0]}


@pytest.mark.parametrize("which", VARIANCES)
def test_gaussian_nll_asks_for_no_numbers(which):
    torch.manual_seed(0)
    x, y, variance = torch.randn(4, 5), torch.randn(4, 5), torch.rand(4, 5)
    variance[0, 0] = 0  # is raised, with the gradient of what it was raised to
    proven(nn.GaussianNLLLoss(full=True, reduction="none"), x, y, VARIANCES[which](variance))


def test_functions_of_torch_are_as_they_were():
    before = torch.ctc_loss, nn.functional.gaussian_nll_loss
    torch.manual_seed(0)
    port.from_torch(nn.GaussianNLLLoss(), torch.randn(4, 5), torch.randn(4, 5), torch.rand(4, 5))
    assert before == (torch.ctc_loss, nn.functional.gaussian_nll_loss)


@pytest.mark.parametrize("batched", [True, False])
def test_multilabel_margin(batched):
    torch.manual_seed(0)
    targets = torch.tensor([[3, 0, -1, 2, 1], [1, 2, 0, 3, 4], [-1, 0, 0, 0, 0], [2, -1, 1, 1, 1]])
    x = torch.randn(4, 5)
    given = (x, targets) if batched else (x[0], targets[0])
    proven(nn.MultiLabelMarginLoss(reduction="none"), *given)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_one_number(name):
    class OfMean(nn.Module):
        def forward(self, x):
            return x * getattr(torch, name)(x.mean(), 0) + x

    proven(OfMean(), torch.randn(3, 4))
