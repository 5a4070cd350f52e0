"""Tiny transformers that use what Hugging Face's do: integer masks, tables of positions, rotary angles, `Conv1D`."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


class Conv1D(nn.Module):
    """GPT-2's linear map, whose matrix is (in, out)."""

    def __init__(self, size, inputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(0.3 * torch.randn(inputs, size)), nn.Parameter(torch.randn(size))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], -1)


def heads(x, n):
    return x.view(*x.shape[:2], -1, n).transpose(1, 2)


class Gpt(nn.Module):
    """GPT-2: a square `Conv1D`, learned positions, a causal mask and one of keys, the table tied to the output."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(11, 8), nn.Embedding(9, 8)
        self.norm, self.attn, self.proj = nn.LayerNorm(8), Conv1D(24, 8), Conv1D(8, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, ids, mask):
        places = torch.arange(ids.shape[1]).unsqueeze(0)
        x = self.wte(ids) + self.wpe(places)
        q, k, v = (heads(t, 4) for t in self.attn(self.norm(x)).split(8, dim=2))
        batch, time = torch.arange(ids.shape[0])[:, None, None, None], torch.arange(ids.shape[1])
        seen = (time[None, None, None] <= time[None, None, :, None]) & mask.to(torch.bool)[
            batch, time[None, None, None]
        ]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen.expand(-1, -1, time.numel(), time.numel()))
        return self.head(x + self.proj(y.transpose(1, 2).reshape(x.shape)))


class RmsNorm(nn.Module):
    def __init__(self, size, offset=0.0):
        super().__init__()
        self.weight, self.offset = nn.Parameter(torch.rand(size)), offset

    def forward(self, x):
        wide = x.to(torch.float32)
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        scale = 1.0 + self.weight if self.offset else self.weight
        return scale * wide.to(x.dtype)


class Llama(nn.Module):
    """Llama: rotary angles of a buffer, keys and values of fewer heads, a gated map; Gemma's norms with `offset`."""

    inv_freq: torch.Tensor

    def __init__(self, offset=0.0):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(8, 8, False), nn.Linear(8, 4, False), nn.Linear(8, 4, False)
        self.o, self.gate, self.up, self.down = (nn.Linear(n, m, False) for n, m in ((8, 8), (8, 6), (8, 6), (6, 8)))
        self.first, self.second = RmsNorm(8, offset), RmsNorm(8, offset)
        self.register_buffer("inv_freq", 1 / 10000 ** (torch.arange(0, 4, 2).float() / 4), persistent=False)

    def forward(self, x):
        angles = torch.arange(x.shape[1])[None, :, None].float() * self.inv_freq
        both = torch.cat((angles, angles), -1)
        cos, sin = both.cos()[:, None], both.sin()[:, None]
        turn = lambda t: t * cos + torch.cat((-t[..., t.shape[-1] // 2 :], t[..., : t.shape[-1] // 2]), -1) * sin
        y = self.first(x)
        q, k, v = heads(self.q(y), 4), heads(self.k(y), 4), heads(self.v(y), 4)
        k, v = (t[:, :, None].expand(-1, -1, 2, -1, -1).reshape(q.shape) for t in (turn(k), v))
        y = F.scaled_dot_product_attention(turn(q), k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(x.shape))
        y = self.second(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class RelativeBias(nn.Module):
    """T5: the distance's bucket, of constants, chooses a row of a table, which is added to unscaled scores."""

    def __init__(self):
        super().__init__()
        self.qkv, self.table, self.out = nn.Linear(8, 24, False), nn.Embedding(8, 2), nn.Linear(8, 8, False)

    def buckets(self, time):
        places = torch.arange(time)
        distance = places[None] - places[:, None]
        far = (distance > 0).long() * 4
        near = distance.abs()
        coarse = 2 + (torch.log(near.float() / 2) / math.log(16 / 2) * 2).to(torch.long)
        far += torch.where(near < 2, near, torch.min(coarse, torch.full_like(coarse, 3)))
        return far

    def forward(self, x, mask):
        q, k, v = (heads(t, 4) for t in self.qkv(x).chunk(3, -1))
        bias = self.table(self.buckets(x.shape[1])).permute(2, 0, 1).unsqueeze(0)
        bias = bias + (1.0 - mask[:, None, None].to(x.dtype)) * -1e4
        y = torch.softmax(q @ k.transpose(3, 2) + bias, -1) @ v
        return x + self.out(y.transpose(1, 2).reshape(x.shape))


class Places(nn.Module):
    """RoBERTa: positions are counted where ids are no padding; BERT: all tokens are of the first type."""

    type_ids: torch.Tensor

    def __init__(self):
        super().__init__()
        self.words, self.types = nn.Embedding(11, 8, padding_idx=1), nn.Embedding(2, 8)
        self.places, self.head = nn.Embedding(9, 8, padding_idx=1), nn.Linear(8, 11)
        self.head.weight = self.words.weight
        self.pooler = nn.Linear(8, 8)
        self.register_buffer("type_ids", torch.zeros(1, 9, dtype=torch.long), persistent=False)

    def forward(self, ids):
        real = ids.ne(1).int()
        places = (torch.cumsum(real, 1).type_as(real) * real).long() + 1
        types = torch.gather(self.type_ids.expand(ids.shape[0], -1), 1, places)
        x = self.words(ids) + self.types(types) + self.places(places)
        _ = torch.tanh(self.pooler(x[:, 0]))  # of no output
        ends = torch.arange(ids.shape[0]), ids.argmax(-1)
        return self.head(x), x[ends]


class Scaled(nn.Module):
    """A block of an image transformer: two tokens, LayerScale, a fixed order of channels, a bias by offsets."""

    index: torch.Tensor

    def __init__(self):
        super().__init__()
        self.token, self.other = nn.Parameter(torch.randn(1, 1, 6)), nn.Parameter(torch.randn(6))
        self.gamma, self.fc = nn.Parameter(torch.rand(6)), nn.Linear(6, 6)
        self.offsets = nn.Parameter(torch.randn(2, 4))
        self.register_buffer("index", (torch.arange(4)[:, None] - torch.arange(4)).abs(), persistent=False)

    def forward(self, x):
        x = torch.cat((self.token.expand(len(x), -1, -1), self.other.expand(len(x), 1, -1), x), 1)
        x = x + self.gamma * self.fc(x)[:, :, torch.tensor([5, 0, 3, 1, 4, 2])]
        scores = x[:, None] @ x[:, None].transpose(2, 3) + self.offsets[:, self.index]
        return (scores.softmax(-1) @ x[:, None])[:, :, 2:]


def _ids():
    return torch.tensor([[3, 4, 5, 6, 2], [7, 8, 2, 1, 1], [9, 2, 3, 10, 1]])


def _mask():
    return torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])


CASES = {
    "gpt-2": lambda: (Gpt(), _ids(), _mask()),
    "llama": lambda: (Llama(), torch.randn(3, 5, 8)),
    "gemma": lambda: (Llama(1.0), torch.randn(3, 5, 8)),
    "t5": lambda: (RelativeBias(), torch.randn(3, 5, 8), _mask()),
    "roberta": lambda: (Places(), _ids()),
    "image block": lambda: (Scaled(), torch.randn(3, 2, 6)),
}
