"""Cases of the layers that tell attention where it is, and of attention in windows."""

import math

import numpy as np
import torch

from compose import (
    alibi,
    cosine_window_attention,
    cosine_window_bias,
    learned_positions,
    multi_head_attention,
    normal,
    relative_bias,
    rotary,
    sinusoidal_positions,
    window_attention,
    window_bias,
)
from tests.cases.case import Case
from tests.cases.in_torch import in_torch


def sines(time, n, interleaved):
    """The table of the paper, number by number."""
    table = np.zeros((time, n))
    for t in range(time):
        for i in range(n // 2):
            angle = t / 10000 ** (2 * i / n)
            at = (2 * i, 2 * i + 1) if interleaved else (i, n // 2 + i)
            table[t, at[0]], table[t, at[1]] = math.sin(angle), math.cos(angle)
    return torch.tensor(table)


def turned(x, size, interleaved, base=10000.0):
    """Rotary positions as products of complex numbers."""
    n = size or x.shape[-1]
    pairs = torch.stack((x[..., 0:n:2], x[..., 1:n:2]) if interleaved else x[..., :n].chunk(2, -1), -1)
    angle = torch.arange(x.shape[1])[:, None] / base ** (torch.arange(0, n, 2, dtype=torch.float64) / n)
    y = torch.view_as_real(
        torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angle), angle)[:, None]
    )
    y = y.flatten(-2) if interleaved else torch.cat(y.unbind(-1), -1)
    return torch.cat((y, x[..., n:]), -1)


def torch_alibi(slopes):
    def reference(p, s, x):
        far = torch.arange(x.shape[3]) - torch.arange(x.shape[2])[:, None]
        return x - torch.tensor(slopes, dtype=torch.float64)[:, None, None] * far.abs()

    return in_torch(reference, turned=False)


def t5_bucket(relative, bidirectional, buckets, limit):
    """As the T5 code writes it."""
    made = 0
    if bidirectional:
        buckets //= 2
        made = made + (relative > 0).long() * buckets
        relative = relative.abs()
    else:
        relative = -torch.min(relative, torch.zeros_like(relative))
    exact = buckets // 2
    large = exact + (torch.log(relative.float() / exact) / math.log(limit / exact) * (buckets - exact)).long()
    large = torch.min(large, torch.full_like(large, buckets - 1))
    return made + torch.where(relative < exact, relative, large)


def torch_t5(bidirectional, buckets, limit):
    def reference(p, s, x):
        relative = torch.arange(x.shape[3]) - torch.arange(x.shape[2])[:, None]
        return x + p["embedding"][t5_bucket(relative, bidirectional, buckets, limit)].permute(2, 0, 1)

    return in_torch(reference, turned=False)


def torch_windows(heads, w, shift, cosine=False):
    """Swin's attention pixel by pixel: each pixel looks at the others of its shifted, wrapped window."""

    def reference(p, s, x):
        p = p["attention"]
        batch, height, width, n = x.shape
        rows, cols = -(-height // w), -(-width // w)
        x = torch.nn.functional.pad(x, (0, 0, 0, cols * w - width, 0, rows * w - height))
        project = lambda name: (x @ p[f"{name}_kernel"] + p.get(f"{name}_bias", 0)).reshape(
            batch, -1, heads, n // heads
        )
        q, k, v = map(project, ("query", "key", "value"))
        by = [shift if count > 1 else 0 for count in (rows, cols)]
        bias = torch.full((rows * cols * w * w,) * 2, -1, dtype=torch.long)
        places = [(i, j) for i in range(rows * w) for j in range(cols * w)]
        for a, (i, j) in enumerate(places):
            for b, (y, z) in enumerate(places):
                same = all((m - d) // w == (o - d) // w for m, o, d in ((i, y, by[0]), (j, z, by[1])))
                if same:
                    bias[a, b] = (i - y + w - 1) * (2 * w - 1) + j - z + w - 1
        if cosine:
            q, k = (torch.nn.functional.normalize(t, dim=-1) for t in (q, k))
            s = torch.einsum("bqhd,bkhd->bhqk", q, k) * torch.exp(p["scores"]["log_scale"])[:, None, None]
            table = offset_net(p["scores"], w)
        else:
            s, table = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(n // heads), p["scores"]["embedding"]
        weights = (s + table[bias.clamp(min=0)].permute(2, 0, 1)).masked_fill(bias < 0, -math.inf).softmax(-1)
        y = torch.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape) @ p["out_kernel"] + p["out_bias"]
        return y[:, :height, :width]

    return in_torch(reference, turned=False)


def offset_net(p, w):
    """Swin V2's bias for every offset, row by row of the window's offsets."""
    along = [math.copysign(math.log2(abs(8 * d / (w - 1)) + 1) / 3, d) for d in range(1 - w, w)]
    at = torch.tensor(np.array([(i, j) for i in along for j in along], np.float32)).double()
    hidden = torch.relu(at @ p["hidden_kernel"] + p["hidden_bias"])
    return 16 * torch.sigmoid(hidden @ p["out_kernel"])


def torch_cosine_bias(w):
    def reference(p, s, x):
        at = [(i, j) for i in range(w) for j in range(w)]
        rows = [[(a[0] - b[0] + w - 1) * (2 * w - 1) + a[1] - b[1] + w - 1 for b in at] for a in at]
        scale = torch.exp(p["log_scale"].clamp(max=math.log(100)))[:, None, None]
        return x * scale + offset_net(p, w)[torch.tensor(rows)].permute(2, 0, 1)

    return in_torch(reference, turned=False)


def torch_window_bias(w):
    def reference(p, s, x):
        at = [(i, j) for i in range(w) for j in range(w)]
        rows = [[(a[0] - b[0] + w - 1) * (2 * w - 1) + a[1] - b[1] + w - 1 for b in at] for a in at]
        return x + p["embedding"][torch.tensor(rows)].permute(2, 0, 1)

    return in_torch(reference, turned=False)


def with_rotary(p, s, x):
    split = lambda name: (x @ p[f"{name}_kernel"] + p[f"{name}_bias"]).unflatten(-1, (2, -1))
    q, k = (turned(split(name), None, False).transpose(1, 2) for name in ("query", "key"))
    y = torch.nn.functional.scaled_dot_product_attention(q, k, split("value").transpose(1, 2), is_causal=True)
    return y.transpose(1, 2).flatten(2) @ p["out_kernel"] + p["out_bias"]


def plain(fn):
    return in_torch(fn, turned=False)


X, HEADED = (2, 5, 6), (2, 5, 2, 8)
OFF_ZERO = normal(stddev=0.5)  # where the hidden layer's relu has no slope
SIX_SLOPES = [1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8]
CASES = [
    Case(learned_positions(7), (X,), plain(lambda p, s, x: x + p["embedding"][:5])),
    Case(learned_positions(7, cache=7), (X,), None),
    Case(sinusoidal_positions(), (X,), plain(lambda p, s, x: x + sines(5, 6, True))),
    Case(rotary(), (HEADED,), plain(lambda p, s, x: turned(x, None, False))),
    Case(alibi(), ((2, 4, 5, 5),), torch_alibi([1 / 4, 1 / 16, 1 / 64, 1 / 256])),
    Case(relative_bias(8, 16), ((1, 2, 20, 30),), torch_t5(True, 8, 16)),
    Case(window_bias(2), ((2, 3, 4, 4),), torch_window_bias(2)),
    Case(window_attention(2, 2, 1), ((2, 5, 4, 4),), torch_windows(2, 2, 1)),
    Case(cosine_window_bias(2, 3, bias_init=OFF_ZERO), ((2, 3, 4, 4),), torch_cosine_bias(2)),
    Case(cosine_window_attention(2, 3, 1, bias_init=OFF_ZERO), ((2, 5, 4, 4),), torch_windows(2, 3, 1, cosine=True)),
    Case(multi_head_attention(2, causal=True, rotary=rotary), ((2, 5, 8),), plain(with_rotary)),
]

OPTIONS = [
    Case(sinusoidal_positions(interleaved=False), (X,), plain(lambda p, s, x: x + sines(5, 6, False))),
    Case(rotary(base=100.0, interleaved=True), (HEADED,), plain(lambda p, s, x: turned(x, None, True, 100.0))),
    Case(rotary(size=4), (HEADED,), plain(lambda p, s, x: turned(x, 4, False))),
    Case(alibi(), ((2, 6, 3, 5),), torch_alibi(SIX_SLOPES)),
    Case(relative_bias(causal=True), ((1, 2, 150, 150),), torch_t5(False, 32, 128)),
    Case(window_attention(1, 3), ((1, 6, 3, 2),), torch_windows(1, 3, 0)),
    Case(window_attention(2, 3, 2), ((1, 6, 3, 4),), torch_windows(2, 3, 2)),
    Case(cosine_window_attention(1, 2, bias_init=OFF_ZERO), ((1, 4, 4, 2),), torch_windows(1, 2, 0, cosine=True)),
]
