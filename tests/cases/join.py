"""Cases of the joins of several inputs."""

import torch
import torch.nn.functional as F

from compose import (
    add,
    average,
    branch,
    concat,
    contract,
    cosine_similarity,
    dot,
    expand_batch,
    fc,
    identity,
    matmul,
    maximum,
    minimum,
    multiply,
    pairwise_distance,
    parameter,
    stack_inputs,
)  # fmt: skip
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

PAIR = ((3, 4), (3, 4))
INF = float("inf")


def case(layer, fn, *shapes):
    return Case(layer, shapes or PAIR, in_torch(lambda p, s, *xs: fn(*xs), turned=False))


def unit(x, axis=-1):
    return F.normalize(x, dim=axis, eps=1e-6)


def clamped(x):
    return x / x.norm(dim=1, keepdim=True).clamp(min=2.0)


CASES = [
    case(average, lambda x, y, z: (x + y + z) / 3, *PAIR, (3, 4)),
    case(maximum, lambda x, y, z: torch.maximum(torch.maximum(x, y), z), *PAIR, (3, 4)),
    case(minimum, torch.minimum),
    case(concat, lambda x, y: torch.cat([x, y], -1), (2, 3), (2, 4)),
    case(stack_inputs, lambda x, y: torch.stack([x, y], 1)),
    case(matmul, torch.matmul, (2, 3, 4), (2, 4, 5)),
    case(contract(equation="bmk,bnk->bnm"), lambda x, y: torch.einsum("bmk,bnk->bnm", x, y), (2, 3, 4), (2, 5, 4)),
    Case(
        branch(parameter(1, 3, 4, batch=False), identity, join=expand_batch),
        ((2, 5),),
        in_torch(lambda p, s, x: p["parameter_0"]["value"].expand(2, 3, 4) + 0 * x.sum(), turned=False),
    ),
    case(dot(axes=(1, 2)), lambda x, y: torch.einsum("bkm,bnk->bmn", x, y), (2, 3, 4), (2, 5, 3)),
    case(dot(normalize=True), lambda x, y: (unit(x) * unit(y)).sum(-1, keepdim=True)),
    case(cosine_similarity, F.cosine_similarity),
    case(pairwise_distance, F.pairwise_distance),
    Case(
        branch(fc(2), fc(2), join=maximum),
        ((3, 4),),
        in_torch(lambda p, s, x: torch.maximum(*(x @ p[k]["kernel"] + p[k]["bias"] for k in ("fc_0", "fc_1")))),
    ),
]

OPTIONS = [
    case(concat(axis=1), lambda x, y: torch.cat([x, y], 1), (2, 3, 2), (2, 4, 2)),
    case(stack_inputs(axis=-1), lambda x, y: torch.stack([x, y], -1)),
    case(dot, lambda x, y: (x * y).sum(-1, keepdim=True)),
    case(dot(axes=1), lambda x, y: torch.einsum("bkm,bk->bm", x, y), (2, 3, 4), (2, 3)),
    case(
        dot(axes=1, normalize=True), lambda x, y: torch.einsum("bkm,bk->bm", unit(x, 1), unit(y, 1)), (2, 3, 4), (2, 3)
    ),
    case(cosine_similarity(axis=1, epsilon=2.0), lambda x, y: (clamped(x) * clamped(y)).sum(1), (2, 3, 4), (2, 3, 4)),
    case(pairwise_distance(order=1.0, keepdims=True), lambda x, y: F.pairwise_distance(x, y, 1.0, keepdim=True)),
    case(pairwise_distance(order=3.0, epsilon=0.1), lambda x, y: F.pairwise_distance(x, y, 3.0, 0.1)),
    case(pairwise_distance(order=INF), lambda x, y: F.pairwise_distance(x, y, INF)),
    case(add, lambda x, y: x + y, (3, 4), (3, 1)),
    case(multiply, lambda x, y: x * y, (3, 4), (4,)),
]
