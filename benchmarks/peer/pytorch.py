"""PyTorch, eager or compiled: its training loop, with channels first."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from peer.work import BLOCKS, VOCABULARY, batches, data


class LastStep(nn.Module):
    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer, self.out = layer, nn.Linear(128, 10)

    def forward(self, x):
        return self.out(self.layer(x)[0][:, -1])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(128), nn.LayerNorm(128)])
        self.qkv, self.out = nn.Linear(128, 384), nn.Linear(128, 128)
        self.up, self.down = nn.Linear(128, 512), nn.Linear(512, 128)

    def forward(self, x):
        q, k, v = (z.view(*z.shape[:2], 4, 32).transpose(1, 2) for z in self.qkv(self.norms[0](x)).chunk(3, -1))
        x = x + self.out(scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape))
        return x + self.down(gelu(self.up(self.norms[1](x))))


def network(work: str) -> nn.Module:
    if work == "mlp":
        return nn.Sequential(nn.Linear(784, 250), nn.ReLU(), nn.Linear(250, 100), nn.ReLU(), nn.Linear(100, 10))
    if work == "autoencoder":
        sizes = (784, 250, 50, 250, 784)
        layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers[:-1], nn.Sigmoid())
    if work == "cnn":
        block = lambda a, b: (nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
        return nn.Sequential(*block(1, 32), *block(32, 64), nn.Flatten(), nn.Linear(3136, 10))
    if work == "mobile":
        layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()]
        for before, (n, stride) in zip((16, *(n for n, _ in BLOCKS)), BLOCKS):
            layers += [nn.Conv2d(before, n, 1), nn.BatchNorm2d(n), nn.ReLU()]
            layers += [nn.Conv2d(n, n, 3, stride, 1, groups=n), nn.BatchNorm2d(n), nn.ReLU()]
            layers += [nn.Conv2d(n, n, 1), nn.BatchNorm2d(n)]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10))
    if work == "lm":
        blocks = (Block() for _ in range(4))
        return nn.Sequential(nn.Embedding(VOCABULARY, 128), *blocks, nn.LayerNorm(128), nn.Linear(128, VOCABULARY))
    return LastStep((nn.LSTM if work == "lstm" else nn.GRU)(28, 128, batch_first=True))


def epoch(work: str, compiled: bool = False):
    x, y, size = data(work)
    if work in ("cnn", "mobile"):
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    model = network(work)
    forward = torch.compile(model) if compiled else model
    optimizer, rng = torch.optim.Adam(model.parameters(), 1e-3), np.random.default_rng(0)
    cross_entropy, mse = nn.CrossEntropyLoss(), nn.MSELoss()

    def run():
        for rows in map(torch.from_numpy, batches(len(x), size, rng)):
            optimizer.zero_grad()
            z = forward(x[rows])
            if work == "autoencoder":
                loss = mse(z, y[rows])
            else:
                loss = cross_entropy(z.reshape(-1, z.shape[-1]), y[rows].reshape(-1).long())
            loss.backward()
            optimizer.step()

    return run
