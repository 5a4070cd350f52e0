"""Cases of the loss of labels without alignment, of logits, against PyTorch."""

import numpy as np
import torch

from compose import ctc_loss, identity, log_softmax, parallel
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

LABELS = np.array([[1, 1, 2, 0], [3, 4, 0, 0], [2, 4, 4, 1]])
LENGTHS, COUNTS = np.array([8, 6, 8]), np.array([3, 2, 4])


def _of_logits(**options):
    def loss(p, s, x, labels, lengths, counts):
        logs = x.log_softmax(-1).transpose(0, 1)
        return torch.nn.functional.ctc_loss(logs, labels, lengths, counts, reduction="none", **options)

    return in_torch(loss, turned=False)


def _case(labels=LABELS, lengths=LENGTHS, **options):
    loss = ctc_loss(**options) if options else ctc_loss
    net = parallel(log_softmax, identity, identity, identity) >> loss
    return Case(net, ((3, 8, 5), labels, lengths, COUNTS), _of_logits(**options))


CASES = [_case()]
OPTIONS = [
    _case(blank=2, labels=np.array([[1, 1, 0, 2], [3, 4, 2, 2], [0, 4, 4, 1]])),
    _case(zero_infinity=True, lengths=np.array([8, 1, 8])),
]
