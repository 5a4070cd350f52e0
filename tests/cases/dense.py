"""Cases of the layers with matrices: fully connected, einsum, bilinear, learned constants, mixtures."""

import numpy as np
import torch
import torch.nn.functional as F

from compose import (
    bilinear,
    buffer,
    class_token,
    constant,
    einsum,
    fc,
    fixed_rows,
    learned_bias,
    learned_scale,
    mixture,
    parameter,
    relu,
    silu,
    softmax,
    squeeze_excite,
    tanh,
)  # fmt: skip
from tests.cases.case import Case
from tests.cases.in_torch import in_torch


def case(layer, fn, *shapes):
    return Case(layer, shapes, in_torch(lambda p, s, *xs: fn(p, *xs), turned=False))


def affine(p, x):
    return x @ p["kernel"] + p["bias"]


def torch_bilinear(p, a, b):
    return F.bilinear(a, b, p["kernel"].permute(2, 0, 1).contiguous(), p.get("bias"))


def excite(p, x):
    hidden = affine(p["squeeze"], x.mean((1, 2), keepdim=True))
    return x * torch.sigmoid(affine(p["excite"], torch.relu(hidden)))


def experts(p, x, top):
    """Token by token, expert by expert."""
    rows = []
    for token in x:
        logits = token @ p["gate"]["kernel"]
        chosen = logits.topk(top).indices
        weights = torch.softmax(logits[chosen], -1)
        kernels, biases = p["expert"]["kernel"], p["expert"]["bias"]
        rows.append(sum(w * torch.tanh(token @ kernels[i] + biases[i]) for w, i in zip(weights, chosen)))
    return torch.stack(rows)


CASES = [
    case(fc(4), affine, (3, 5)),
    case(fc(4, bias=False), lambda p, x: x @ p["kernel"], (2, 3, 5)),
    case(fc(4, relu), lambda p, x: torch.relu(affine(p, x)), (3, 5)),
    case(einsum("btd,dhk->bthk", (2, 3)), lambda p, x: torch.einsum("btd,dhk->bthk", x, p["kernel"]), (2, 3, 4)),
    case(bilinear(4), torch_bilinear, (3, 5), (3, 2)),
    case(learned_scale(), lambda p, x: x * p["scale"], (2, 3, 4)),
    case(learned_bias((3, 1)), lambda p, x: x + p["bias"], (2, 3, 4)),
    case(class_token(), lambda p, x: torch.cat([p["token"].expand(2, 1, 4), x], 1), (2, 3, 4)),
    Case(parameter(3, 4), ((2, 5),), lambda p, s, x: np.broadcast_to(p["value"], (2, 3, 4))),
    Case(parameter(3, 4, batch=False), ((2, 5),), lambda p, s, x: p["value"]),
    Case(buffer(3, 4, dtype="int32"), ((2, 5),), lambda p, s, x: np.broadcast_to(s["value"], (2, 3, 4))),
    Case(buffer(3, batch=False), ((2, 5),), lambda p, s, x: s["value"]),
    Case(fixed_rows(5, 2, (3, 4)), ((2, 5),), lambda p, s, x: p["embedding"][np.asarray(s["index"], int)]),
    case(squeeze_excite(4), excite, (2, 3, 3, 8)),
    case(mixture(4, fc(3, tanh)), lambda p, x: experts(p, x, 4), (3, 5)),
    case(mixture(4, fc(3, tanh), top=2), lambda p, x: experts(p, x, 2), (3, 5)),
]

OPTIONS = [
    case(fc(4, softmax), lambda p, x: torch.softmax(affine(p, x), -1), (5,)),
    case(
        einsum("...d,dk->...k", (3,), silu, bias="k"),
        lambda p, x: F.silu(torch.einsum("...d,dk->...k", x, p["kernel"]) + p["bias"]),
        (2, 3, 4),
    ),
    case(
        einsum("btd,dhk->bhkt", (2, 3), bias="ht"),
        lambda p, x: torch.einsum("btd,dhk->bhkt", x, p["kernel"]) + p["bias"][:, None],
        (2, 5, 4),
    ),
    case(
        einsum("b...d,dk->kb...", (3,), bias="k"),
        lambda p, x: torch.einsum("b...d,dk->kb...", x, p["kernel"]) + p["bias"][:, None, None, None],
        (2, 3, 6, 4),
    ),
    case(einsum("abc,abc->ab"), lambda p, x: torch.einsum("abc,abc->ab", x, p["kernel"]), (2, 3, 4)),
    case(bilinear(4, tanh, bias=False), lambda p, a, b: torch.tanh(torch_bilinear(p, a, b)), (2, 3, 5), (2, 3, 2)),
    case(learned_scale((1, 4), constant(value=1e-6)), lambda p, x: x * p["scale"], (2, 3, 4)),
    case(learned_bias(), lambda p, x: x + p["bias"], (2, 3, 4)),
    case(class_token(2), lambda p, x: torch.cat([p["token"].expand(2, 2, 4), x], 1), (2, 3, 4)),
    case(squeeze_excite(size=3), excite, (2, 3, 3, 8)),
]
