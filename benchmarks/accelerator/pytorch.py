"""PyTorch, eager or compiled, in automatic mixed precision for bfloat16; images have their channels last in memory."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from accelerator.work import STEPS, Size, data, sized


class Block(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        n, self.heads = size.width, size.heads
        self.norms = nn.ModuleList([nn.LayerNorm(n), nn.LayerNorm(n)])
        self.qkv, self.out = nn.Linear(n, 3 * n), nn.Linear(n, n)
        self.mlp = nn.Sequential(nn.Linear(n, 4 * n), nn.GELU(), nn.Linear(4 * n, n))

    def forward(self, x):
        split = lambda z: z.view(*z.shape[:2], self.heads, -1).transpose(1, 2)
        q, k, v = map(split, self.qkv(self.norms[0](x)).chunk(3, -1))
        x = x + self.out(scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape))
        return x + self.mlp(self.norms[1](x))


class LanguageModel(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.tokens = nn.Embedding(size.vocabulary, size.width)
        self.positions = nn.Parameter(torch.zeros(size.length, size.width))
        self.blocks = nn.Sequential(*(Block(size) for _ in range(size.depth)), nn.LayerNorm(size.width))
        self.head = nn.Linear(size.width, size.vocabulary, bias=False)

    def forward(self, ids):
        return self.head(self.blocks(self.tokens(ids) + self.positions))


def conv(a: int, b: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b)]


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int, first: bool):
        super().__init__()
        inner = [*conv(channels, width, 1), nn.ReLU(), *conv(width, width, 3, stride), nn.ReLU()]
        self.body = nn.Sequential(*inner, *conv(width, 4 * width, 1))
        self.shortcut = nn.Sequential(*(conv(channels, 4 * width, 1, stride) if first else []))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet(size: Size) -> nn.Module:
    layers: list[nn.Module] = [*conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, count in enumerate(size.blocks):
        for i in range(count):
            width = 64 * 2**stage
            layers.append(Bottleneck(channels, width, 2 if stage and not i else 1, not i))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


def measure(work: str, precision: str, peer: str, tiny: bool) -> dict[str, Any]:
    size = sized(work, tiny)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x, y = (torch.from_numpy(a[: size.batch]).to(device) for a in data(work, size))
    model = (LanguageModel(size) if work == "lm" else resnet(size)).to(device)
    if work == "resnet50":
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    forward = torch.compile(model) if peer == "torch-compiled" else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = forward(x)
            loss = cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), y.reshape(-1).long())
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    wait()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    wait()
    return {"ms": (time.perf_counter() - began) / STEPS * 1e3, "torch": torch.__version__}
