"""Small PyTorch models, one of each kind, that are ported and proven in the tests."""

from __future__ import annotations

import itertools

import torch
from torch import nn


class Cnn(nn.Module):
    """Convolution, batch norm, dropout, and a flatten that the next matrix has to follow."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8 * 3 * 4, 5)

    def forward(self, x):
        return self.head(self.drop(torch.flatten(torch.relu(self.norm(self.conv(x))), 1)))


class Residual(nn.Module):
    """Two residual blocks, one with a projection."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(Block(8, 8), Block(8, 12))
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean([2, 3]))


class Block(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.conv = nn.Conv2d(n, m, 3, padding=1)
        self.norm = nn.BatchNorm2d(m)
        self.project = nn.Conv2d(n, m, 1) if n != m else nn.Identity()

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)) + self.project(x))


class Recurrent(nn.Module):
    """A recurrent net and a head on its last step."""

    def __init__(self, cell=nn.LSTM, both=False, layers=1, batch_first=True):
        super().__init__()
        self.cell = cell(5, 6, num_layers=layers, bidirectional=both, batch_first=batch_first)
        self.head = nn.Linear(12 if both else 6, 3)
        self.batch_first = batch_first

    def forward(self, x):
        y, _ = self.cell(x)
        return self.head(y[:, -1] if self.batch_first else y[-1])


class FinalState(nn.Module):
    """The final states of both ways, as torch stacks them."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(5, 6, bidirectional=True, batch_first=True)

    def forward(self, x):
        _, h = self.cell(x)
        return torch.cat([h[-2], h[-1]], dim=1)


class Attention(nn.Module):
    """Self-attention and layer norm, as a residual."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        y = self.norm(x)
        return x + self.attention(y, y, y, need_weights=False)[0]


class Decoder(nn.Module):
    """A transformer decoder layer over a memory, causal."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(5))

    def forward(self, x, memory):
        return self.layer(x, memory, tgt_mask=self.mask)


class UNet(nn.Module):
    """Down, up by a transposed convolution, and a skip."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        return self.out(torch.cat([self.up(torch.relu(self.down(x))), x], 1))


class Siamese(nn.Module):
    """One set of weights on two inputs."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
        self.head = nn.Linear(6, 1)

    def forward(self, a, b):
        return self.head(torch.abs(self.body(a) - self.body(b)))


class TwoIn(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(12, 2)

    def forward(self, x, y):
        return self.out(torch.cat([torch.relu(self.a(x)), torch.sigmoid(self.b(y))], dim=-1))


class TwoOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(6, 3)

    def forward(self, x):
        h = torch.relu(self.body(x))
        return self.a(h), torch.softmax(self.b(h), -1)


class Gated(nn.Module):
    """Both hard functions of MobileNetV3, over their corners."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4)

    def forward(self, x):
        return nn.functional.hardsigmoid(self.b(nn.functional.hardswish(4 * self.a(x))))


class Tied(nn.Module):
    """An embedding whose table is the output projection too."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.body = nn.Linear(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(torch.tanh(self.body(self.table(ids))))


def autoencoder():
    """The autoencoder of the design, 784-250-50-250-784."""
    sizes = (784, 250, 50, 250, 784)
    layers = []
    for n, m in itertools.pairwise(sizes):
        layers += [nn.Linear(n, m), nn.Sigmoid() if m == 784 else nn.ReLU()]
    return nn.Sequential(*layers)


def _ids():
    return torch.arange(12).reshape(3, 4) % 11


CASES = {
    "mlp": lambda: (autoencoder(), torch.randn(3, 784)),
    "cnn": lambda: (Cnn(), torch.randn(4, 3, 6, 8)),
    "residual": lambda: (Residual(), torch.randn(3, 3, 5, 6)),
    "lstm": lambda: (Recurrent(), torch.randn(3, 7, 5)),
    "lstm time-major": lambda: (Recurrent(batch_first=False), torch.randn(7, 3, 5)),
    "stacked lstm": lambda: (Recurrent(layers=2), torch.randn(3, 7, 5)),
    "gru": lambda: (Recurrent(nn.GRU), torch.randn(3, 7, 5)),
    "rnn": lambda: (Recurrent(nn.RNN), torch.randn(3, 7, 5)),
    "bidirectional": lambda: (Recurrent(both=True), torch.randn(3, 7, 5)),
    "final states": lambda: (FinalState(), torch.randn(3, 7, 5)),
    "attention": lambda: (Attention(), torch.randn(3, 5, 8)),
    "encoder": lambda: (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.randn(3, 5, 8)),
    "decoder": lambda: (Decoder(), torch.randn(3, 5, 8), torch.randn(3, 6, 8)),
    "unet": lambda: (UNet(), torch.randn(2, 2, 6, 8)),
    "siamese": lambda: (Siamese(), torch.randn(3, 4), torch.randn(3, 4)),
    "two inputs": lambda: (TwoIn(), torch.randn(3, 4), torch.randn(3, 3)),
    "two outputs": lambda: (TwoOut(), torch.randn(3, 4)),
    "gated": lambda: (Gated(), torch.randn(5, 6)),
    "tied": lambda: (Tied(), _ids()),
}
