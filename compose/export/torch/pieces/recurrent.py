# pyright: reportCallIssue=false
"""Recurrent cells in a loop, for lengths, masks and other activations."""

from __future__ import annotations

import torch
from torch import nn


def unchanged(x):
    return x


class Steps(nn.Module):
    """A cell over `(batch, time, n)`: the outputs of all steps, and the last carry.

    `real` has lengths `(batch,)` or a mask `(batch, time)`: padded steps keep the carry, and their output is zero.
    """

    def __init__(self, n, size, gates, fed, carries):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(n, gates * size))
        self.recurrent_kernel = nn.Parameter(torch.empty(fed, gates * size))
        self.bias = nn.Parameter(torch.zeros(gates * size))
        self.recurrent_bias = nn.Parameter(torch.zeros(gates * size))
        self.carries = carries

    def forward(self, x, real=None, carry=None, reverse=False):
        if carry is None:
            carry = tuple(x.new_zeros(x.shape[0], n) for n in self.carries)
        if real is not None and real.ndim == 1:
            real = torch.arange(x.shape[1], device=x.device) < real[:, None]
        z = x @ self.kernel + self.bias
        outputs = [None] * x.shape[1]
        for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
            after = self.step(z[:, t], *carry)
            outputs[t] = after[0]
            if real is not None:
                here = real[:, t, None]
                outputs[t] = torch.where(here, after[0], 0)
                after = tuple(torch.where(here, new, old) for new, old in zip(after, carry))
            carry = after
        return torch.stack(outputs, 1), carry


class RNNSteps(Steps):
    """A simple recurrent layer, step by step."""

    def __init__(self, n, size, activation):
        super().__init__(n, size, 1, size, (size,))
        self.activation = activation

    def step(self, z, h):
        return (self.activation(z + h @ self.recurrent_kernel + self.recurrent_bias),)


class LSTMSteps(Steps):
    """Long short-term memory, step by step."""

    def __init__(self, n, size, activation, gate, projection=None):
        super().__init__(n, size, 4, projection or size, (projection or size, size))
        self.activation, self.gate = activation, gate
        self.projection = nn.Parameter(torch.empty(size, projection)) if projection else None

    def step(self, z, h, c):
        i, f, g, o = (z + h @ self.recurrent_kernel + self.recurrent_bias).chunk(4, -1)
        c = self.gate(f) * c + self.gate(i) * self.activation(g)
        h = self.gate(o) * self.activation(c)
        return (h if self.projection is None else h @ self.projection), c


class GRUSteps(Steps):
    """A gated recurrent unit, step by step."""

    def __init__(self, n, size, activation, gate, reset_after=True):
        super().__init__(n, size, 3, size, (size,))
        self.size, self.activation, self.gate, self.reset_after = size, activation, gate, reset_after

    def step(self, z, h):
        gates, size = slice(None, 2 * self.size), self.size
        u = h @ self.recurrent_kernel[:, gates] + self.recurrent_bias[gates]
        r, update = self.gate(z[:, gates] + u).chunk(2, -1)
        kernel, bias = self.recurrent_kernel[:, 2 * size :], self.recurrent_bias[2 * size :]
        n = r * (h @ kernel + bias) if self.reset_after else (r * h) @ kernel + bias
        n = self.activation(z[:, 2 * size :] + n)
        return (n + update * (h - n),)
