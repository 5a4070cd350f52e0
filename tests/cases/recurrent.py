"""Cases of the recurrent layers."""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from compose import (
    bidirectional,
    compose_seq,
    concat,
    conv,
    conv_lstm,
    conv_lstm_cell,
    embedding,
    gru,
    gru_cell,
    lstm,
    lstm_cell,
    masked,
    recurrent,
    relu,
    rnn,
    rnn_cell,
    stacked,
    time_distributed,
)
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

LENGTHS = np.array([4, 1, 6, 3])
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
NAMES = {"kernel": "weight_ih", "recurrent_kernel": "weight_hh", "bias": "bias_ih", "recurrent_bias": "bias_hh",
         "projection_kernel": "weight_hr"}  # fmt: skip


def in_rnn(kind, size, output="sequence", **options):
    """torch's own layer on our parameters, sequences packed where lengths are given."""

    def reference(p, s, x, lengths=None, mode=output):
        module = kind(x.shape[-1], size, batch_first=True, dtype=torch.float64, **options)
        weights = dict(_torch_names(p, options))
        zeros = {n: torch.zeros_like(w) for n, w in module.named_parameters() if n not in weights}
        if lengths is None:
            given = x
        else:
            given = pack_padded_sequence(x, lengths.clone(), batch_first=True, enforce_sorted=False)
        y, carry = functional_call(module, {**zeros, **weights}, (given,))
        h = carry[0] if isinstance(carry, tuple) else carry
        if mode == "last":
            return torch.cat([*h[-2:]], -1) if options.get("bidirectional") else h[-1]
        return y if lengths is None else pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0]

    return in_torch(reference, turned=False)


def _torch_names(p, options):
    layers = [v for k, v in sorted(p.items())] if options.get("num_layers", 1) > 1 else [p]
    for i, layer in enumerate(layers):
        sides = {"": layer} if "kernel" in layer else {"": layer["forward"], "_reverse": layer["backward"]}
        for suffix, side in sides.items():
            for ours, array in side.items():
                yield f"{NAMES[ours]}_l{i}{suffix}", array.T if ours.endswith("kernel") else array


def over_steps(cell, read=lambda carry: carry, reverse=False, output="sequence"):
    """A loop over a step `cell(p, carry, x)` written out; padded steps keep the carry and give zeros."""

    def reference(p, s, x, mask=None):
        batch, time, _ = x.shape
        mask = torch.ones(batch, time, dtype=torch.bool) if mask is None else mask
        carry = cell(p, None, x[:, 0], first=True)
        ys = [None] * time
        for t in reversed(range(time)) if reverse else range(time):
            after = cell(p, carry, x[:, t])
            carry = torch.where(mask[:, t, None], after, carry)
            ys[t] = torch.where(mask[:, t, None], after, 0.0)
        return carry if output == "last" else torch.stack(ys, 1)

    return in_torch(reference, turned=False)


def elman(act):
    def cell(p, h, x, first=False):
        size = p["recurrent_kernel"].shape[0]
        if first:
            return x.new_zeros(x.shape[0], size)
        return act(x @ p["kernel"] + p["bias"] + h @ p["recurrent_kernel"])

    return cell


def gru_before(p, h, x, first=False):
    """The reset gate before the product, as Cho et al. write it and Keras does with `reset_after=False`."""
    size = p["recurrent_kernel"].shape[0]
    if first:
        return x.new_zeros(x.shape[0], size)
    wr, wz, wn = p["kernel"].split(size, -1)
    ur, uz, un = p["recurrent_kernel"].split(size, -1)
    br, bz, bn = p["bias"].split(size)
    cr, cz, cn = p["recurrent_bias"].split(size) if "recurrent_bias" in p else (0, 0, 0)
    r, z = torch.sigmoid(x @ wr + br + h @ ur + cr), torch.sigmoid(x @ wz + bz + h @ uz + cz)
    return (1 - z) * torch.tanh(x @ wn + bn + (r * h) @ un + cn) + z * h


def gru_of_flax(p, h, x, first=False):
    """Flax's `GRUCell`: a recurrent bias for the candidate alone."""
    size = p["recurrent_kernel"].shape[0]
    if first:
        return x.new_zeros(x.shape[0], size)
    xr, xz, xn = (x @ p["kernel"] + p["bias"]).split(size, -1)
    hr, hz, hn = (h @ p["recurrent_kernel"]).split(size, -1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + r * (hn + p["recurrent_bias"])) + z * h


def hard_gates(p, s, x):
    """An LSTM whose gates are `relu`, step by step."""
    size = p["recurrent_kernel"].shape[0]
    h = c = x.new_zeros(x.shape[0], size)
    ys = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ p["kernel"] + h @ p["recurrent_kernel"]).split(size, -1)
        c = torch.relu(f) * c + torch.relu(i) * g
        h = torch.relu(o) * c
        ys.append(h)
    return torch.stack(ys, 1)


def one_rnn_step(p, s, h, x):
    y = torch.tanh(x @ p["kernel"] + p["bias"] + h @ p["recurrent_kernel"])
    return y, y


def one_gru_step(p, s, h, x):
    weights = (p["kernel"].T, p["recurrent_kernel"].T, p["bias"], p["recurrent_bias"])
    y = torch._VF.gru_cell(x, h, *weights)
    return y, y


def torch_conv_lstm(rank, padding, stride=1, last=False):
    """A loop over steps; torch's `same` pads as ours at stride 1."""
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]

    def reference(p, s, x):
        x = x.movedim(-1, 2)
        wx, wh = (p[n].permute(-1, -2, *range(rank)) for n in ("kernel", "recurrent_kernel"))
        h = c = None
        ys = []
        for t in range(x.shape[1]):
            z = convolve(x[:, t], wx, p.get("bias"), stride=stride, padding=padding)
            h = z.new_zeros(z.shape[0], z.shape[1] // 4, *z.shape[2:]) if h is None else h
            c = torch.zeros_like(h) if c is None else c
            i, f, g, o = (z + convolve(h, wh, padding="same")).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            ys.append(h.movedim(1, -1))
        return ys[-1] if last else torch.stack(ys, 1)

    return in_torch(reference, turned=False)


def torch_each_step(p, s, x):
    y = F.conv1d(x.flatten(0, 1).mT, p["kernel"].permute(2, 1, 0), p["bias"], padding="same")
    return y.mT.unflatten(0, x.shape[:2])


def without_zeros(p, s, ids):
    rows = F.embedding(ids, p["embedding_0"]["embedding"])
    real = (ids != 0).sum(1)  # in these ids zeros come last
    return in_rnn(nn.LSTM, 2, "last").fn(p["lstm_0"], s, rows, real)


SEQUENCE = (4, 6, 3)
IDS = np.array([[1, 2, 3, 0], [3, 0, 0, 0], [2, 2, 1, 3]])
CASES = [
    Case(rnn(2), (SEQUENCE,), in_rnn(nn.RNN, 2)),
    Case(rnn_cell(2), ((4, 2), (4, 3)), in_torch(one_rnn_step, turned=False)),
    Case(lstm(2), (SEQUENCE,), in_rnn(nn.LSTM, 2)),
    Case(lstm(2, recurrent_bias=True), (SEQUENCE, LENGTHS), in_rnn(nn.LSTM, 2)),
    Case(lstm(4, projection=2), (SEQUENCE,), in_rnn(nn.LSTM, 4, proj_size=2)),
    Case(gru(2), (SEQUENCE,), in_rnn(nn.GRU, 2)),
    Case(gru(2, reset_after=False, recurrent_bias=False), (SEQUENCE,), over_steps(gru_before)),
    Case(gru(2, recurrent_bias="candidate"), (SEQUENCE,), over_steps(gru_of_flax)),
    Case(gru_cell(2), ((4, 2), (4, 3)), in_torch(one_gru_step, turned=False)),
    Case(rnn(2), ((3, 5, 4), MASK), over_steps(elman(torch.tanh))),
    Case(recurrent(lstm_cell(2), output="last"), (SEQUENCE, LENGTHS), in_rnn(nn.LSTM, 2, "last")),
    Case(bidirectional(lstm(2)), (SEQUENCE, LENGTHS), in_rnn(nn.LSTM, 2, bidirectional=True)),
    Case(stacked(2, lstm(2)), (SEQUENCE, LENGTHS), in_rnn(nn.LSTM, 2, num_layers=2)),
    Case(lstm(2, dropout=0.5, recurrent_dropout=0.25), (SEQUENCE,), in_rnn(nn.LSTM, 2)),
    Case(stacked(2, rnn(3), dropout=0.5), (SEQUENCE,), in_rnn(nn.RNN, 3, num_layers=2)),
    Case(conv_lstm(2, 3), ((2, 3, 4, 5, 2),), torch_conv_lstm(2, "same")),
    Case(recurrent(conv_lstm_cell(2, 3), output="last"), ((2, 3, 5, 2),), torch_conv_lstm(1, "same", last=True)),
    Case(time_distributed(conv(2, 3)), ((2, 3, 4, 2),), in_torch(torch_each_step, turned=False)),
    Case(
        masked(compose_seq(embedding(4, 3), lstm(2, output="last"))),
        (IDS,),
        in_torch(without_zeros, turned=False),
    ),
]

OPTIONS = [  # held against PyTorch only: in all else they are as their like above
    Case(rnn(2, relu, recurrent_bias=True), (SEQUENCE,), in_rnn(nn.RNN, 2, nonlinearity="relu")),
    Case(rnn(2, bias=False, output="last"), (SEQUENCE,), in_rnn(nn.RNN, 2, "last", bias=False)),
    Case(lstm(2, bias=False, output="last"), (SEQUENCE, LENGTHS), in_rnn(nn.LSTM, 2, "last", bias=False)),
    Case(lstm(2, "identity", bias=False, recurrent_activation=relu), ((2, 3, 3),), in_torch(hard_gates, turned=False)),
    Case(lstm(2, unroll=3), (SEQUENCE,), in_rnn(nn.LSTM, 2)),
    Case(gru(2, output="last"), (SEQUENCE, LENGTHS), in_rnn(nn.GRU, 2, "last")),
    Case(gru(2, reset_after=False), (SEQUENCE,), over_steps(gru_before)),
    Case(rnn(2, reverse=True), ((3, 5, 4), MASK), over_steps(elman(torch.tanh), reverse=True)),
    Case(rnn(2, output="last"), ((3, 5, 4), MASK), over_steps(elman(torch.tanh), output="last")),
    Case(recurrent(rnn_cell(2, relu)), ((3, 5, 4),), over_steps(elman(torch.relu))),
    Case(bidirectional(gru(2, output="last")), (SEQUENCE, LENGTHS), in_rnn(nn.GRU, 2, "last", bidirectional=True)),
    Case(bidirectional(gru(2), concat(axis=-1)), (SEQUENCE,), in_rnn(nn.GRU, 2, bidirectional=True)),
    Case(
        stacked(3, bidirectional(lstm(2, output="last"))),
        (SEQUENCE, LENGTHS),
        in_rnn(nn.LSTM, 2, "last", num_layers=3, bidirectional=True),
    ),
    Case(conv_lstm(2, 3, stride=2, padding="valid", bias=False), ((2, 3, 7, 2),), torch_conv_lstm(1, 0, 2)),
    Case(conv_lstm(2, (1, 3, 3), output="last"), ((1, 2, 2, 3, 3, 2),), torch_conv_lstm(3, "same", last=True)),
]
