"""PyTorch's sequence and image modules in small models, each with what is particular to it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations


class Translate(nn.Module):
    """A decoder that starts where its encoder ended."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(5, 6, batch_first=True)
        self.decoder = nn.LSTM(4, 6, batch_first=True)

    def forward(self, x, y):
        _, states = self.encoder(x)
        return self.decoder(y, states)[0]


class Classifier(nn.Module):
    """A transformer over ids, whose padding is hidden, and the mean of what is left."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.table = nn.Embedding(7, 8, padding_idx=0)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, ids):
        padding = ids == 0
        y = self.encoder(self.table(ids), src_key_padding_mask=padding)
        return (y * (~padding).unsqueeze(-1)).sum(1)


class Masked(nn.Module):
    """Attention with a mask from outside, and with one of numbers that is always the same."""

    def __init__(self):
        super().__init__()
        self.first = nn.MultiheadAttention(8, 2, batch_first=True)
        self.second = nn.MultiheadAttention(8, 2, batch_first=True)
        self.register_buffer("bias", torch.arange(25.0).reshape(5, 5).sin())

    def forward(self, x, hidden):
        x, weights = self.first(x, x, x, attn_mask=hidden)
        return self.second(x, x, x, attn_mask=self.bias, need_weights=False)[0], weights


class Scored(nn.Module):
    """`scaled_dot_product_attention` with a mask of numbers and one of truths."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 8)
        self.register_buffer("near", (torch.arange(5)[:, None] - torch.arange(5)).abs() < 2)

    def forward(self, x, bias):
        q = self.inner(x).unflatten(-1, (2, 4)).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, 2 * q, q + 1, attn_mask=bias)
        return F.scaled_dot_product_attention(y, q, q, attn_mask=self.near).transpose(1, 2).flatten(2)


class Words(nn.Module):
    """Attention as it is written out, causal by a buffer, over learned places; the table is the head as well."""

    def __init__(self):
        super().__init__()
        self.table, self.places = nn.Embedding(11, 8), nn.Embedding(9, 8)
        self.parts, self.norm = nn.Linear(8, 24), nn.RMSNorm(8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("past", torch.tril(torch.ones(1, 1, 9, 9)))

    def forward(self, ids):
        n = ids.shape[1]
        x = self.table(ids) + self.places(torch.arange(n))
        q, k, v = (t.view(-1, n, 2, 4).transpose(1, 2) for t in self.parts(x).split(8, dim=2))
        scores = (q @ k.transpose(-2, -1) / 2).masked_fill(self.past[:, :, :n, :n] == 0, float("-inf"))
        y = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(-1, n, 8)
        return self.head(self.norm(x + y))


class Sums(nn.Module):
    """Reductions, choices and products that have no module."""

    def __init__(self):
        super().__init__()
        self.kernel, self.other = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(4, 6))
        self.bias = nn.Parameter(torch.randn(6))

    def forward(self, x):
        y = torch.addmm(self.bias, x.amax(1), self.kernel)
        y = torch.where(y > 0.1, y.clamp(max=0.7), F.normalize(y, dim=-1))
        z = (x @ self.other).cumsum(1).var(1) + torch.stack(x.unbind(1), 2).logsumexp(1).norm(dim=1, keepdim=True)
        return torch.maximum(1 - y, z.flip(1).roll(2, 1)), F.glu(2 / (z.exp() + 1))


class Images(nn.Module):
    """Fewer pixels and more, by each way that torch has."""

    def __init__(self):
        super().__init__()
        self.fewer = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 4, 1), nn.GroupNorm(2, 4), nn.ChannelShuffle(2))
        self.more = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.norm = nn.InstanceNorm2d(6, affine=True)

    def forward(self, x):
        y = self.norm(self.more(self.fewer(x)))
        return F.interpolate(y, (3, 4), mode="bilinear", antialias=True) + F.interpolate(y, (3, 4), mode="area")


def signal():
    return nn.Sequential(
        nn.Conv1d(3, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2),
        nn.ConvTranspose1d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(24, 2),
    )  # fmt: skip


def volume():
    return nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.AvgPool3d(2), nn.Flatten())


def normed():
    return nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(2), parametrizations.weight_norm(nn.Linear(6, 2))
    )


class Standardised(nn.Module):
    """Buffers that are no parameters, and a parameter that is not trained."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.randn(4))
        self.register_buffer("std", 1 + torch.rand(4))
        self.shift = nn.Parameter(torch.randn(1, 4), requires_grad=False)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head((x - self.mean) / self.std + self.shift)


HIDDEN = torch.ones(5, 5).triu(2).bool()
IDS = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 1], [2, 3, 0, 0]])

CASES = {
    "lstm with its states": lambda: (
        nn.LSTM(5, 6, 2, bidirectional=True, batch_first=True, proj_size=4),
        torch.randn(3, 7, 5),
    ),
    "gru with its states": lambda: (nn.GRU(5, 6, 2), torch.randn(7, 3, 5)),
    "states from a layer to another": lambda: (Translate(), torch.randn(3, 7, 5), torch.randn(3, 4, 4)),
    "padding": lambda: (Classifier(), IDS),
    "masks": lambda: (Masked(), torch.randn(3, 5, 8), HIDDEN),
    "scores": lambda: (Scored(), torch.randn(3, 5, 6), torch.randn(3, 1, 5, 5)),
    "transformer": lambda: (
        nn.Transformer(8, 2, 1, 1, 12, batch_first=True),
        torch.randn(3, 5, 8),
        torch.randn(3, 4, 8),
    ),
    "words": lambda: (Words(), torch.arange(12).reshape(3, 4) % 11),
    "sums": lambda: (Sums(), torch.randn(3, 5, 4)),
    "images": lambda: (Images(), torch.randn(2, 3, 6, 8)),
    "signal": lambda: (signal(), torch.randn(4, 3, 8)),
    "volume": lambda: (volume(), torch.randn(3, 2, 4, 4, 4)),
    "normed": lambda: (normed(), torch.randn(2, 3, 4, 5)),
    "standardised": lambda: (Standardised(), torch.randn(3, 4)),
}
