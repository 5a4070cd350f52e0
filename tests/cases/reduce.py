"""Cases of the reductions and of the elementwise functions."""

import numpy as np
import torch

from compose import absolute, clip, norm, ops, softplus, std  # fmt: skip
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

X = (2, 3, 4)
TIES = np.array([[-1.0, 0.0, 0.0], [0.5, 1.0, 0.5]])
ZEROS = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, -3.0]])


def case(layer, fn, *inputs):
    return Case(layer, inputs or (X,), in_torch(lambda p, s, *xs: fn(*xs), turned=False))


def positive(layer, fn):
    return case(softplus >> layer, lambda x: fn(torch.logaddexp(x, torch.zeros_like(x))), (3, 4))


CASES = [
    case(ops.mean(axis=1), lambda x: x.mean(1)),
    case(ops.sum(axis=1), lambda x: x.sum(1)),
    case(ops.prod(axis=1), lambda x: x.prod(1)),
    case(ops.max(axis=1), lambda x: x.amax(1)),
    case(ops.min(axis=1), lambda x: x.amin(1)),
    case(ops.var(axis=1), lambda x: x.var(1, correction=0)),
    case(std(axis=1, ddof=1), lambda x: x.std(1)),
    case(norm, lambda x: x.norm(dim=-1)),
    case(ops.logsumexp(axis=1), lambda x: x.logsumexp(1)),
    Case(ops.argmax(axis=1), (X,), lambda p, s, x: x.argmax(1), grad=False),
    Case(ops.argmin(axis=1), (X,), lambda p, s, x: x.argmin(1), grad=False),
    case(ops.cumsum(axis=1), lambda x: x.cumsum(1)),
    case(ops.cumprod(axis=1), lambda x: x.cumprod(1)),
    case(absolute, torch.abs),
    case(clip(min=-0.5, max=0.5), lambda x: x.clamp(-0.5, 0.5)),
    case(ops.cos, torch.cos),
    case(ops.erf, torch.erf),
    case(ops.exp, torch.exp),
    case(ops.expm1, torch.expm1),
    positive(ops.log1p, torch.log1p),
    Case(ops.stop_gradient, (X,), lambda p, s, x: x, grad=False),
    positive(ops.log, torch.log),
    case(ops.power(x2=3), lambda x: x**3),
    positive(ops.reciprocal, torch.reciprocal),
    positive(ops.rsqrt, torch.rsqrt),
    case(ops.sign, torch.sign),
    case(ops.sin, torch.sin),
    positive(ops.sqrt, torch.sqrt),
    case(ops.square, torch.square),
]

OPTIONS = [
    case(ops.mean, lambda x: x.mean()),
    case(ops.mean(axis=(1, 2), keepdims=True), lambda x: x.mean((1, 2), keepdim=True)),
    case(ops.sum(axis=(0, 2)), lambda x: x.sum((0, 2))),
    case(ops.sum(axis=-1, keepdims=True), lambda x: x.sum(-1, keepdim=True)),
    case(ops.prod(axis=-1, keepdims=True), lambda x: x.prod(-1, keepdim=True)),
    case(ops.max(axis=(1, 2)), lambda x: x.amax((1, 2))),
    case(ops.max(axis=1, keepdims=True), lambda x: x.amax(1, keepdim=True), TIES),
    case(ops.min(axis=1), lambda x: x.amin(1), TIES),
    case(ops.var(axis=(0, 1), ddof=1, keepdims=True), lambda x: x.var((0, 1), keepdim=True)),
    case(std(axis=1, keepdims=True), lambda x: x.std(1, correction=0, keepdim=True)),
    case(norm(axis=(1, 2), keepdims=True), lambda x: x.norm(dim=(1, 2), keepdim=True)),
    case(norm(order=1.0), lambda x: x.norm(1, dim=-1), ZEROS),
    case(norm(order=3.0, axis=1), lambda x: x.norm(3, dim=1)),
    case(norm, lambda x: x.norm(dim=-1), ZEROS),
    case(norm(order=float("inf")), lambda x: x.norm(float("inf"), dim=-1)),
    case(norm(order=float("-inf")), lambda x: x.norm(float("-inf"), dim=-1)),
    case(norm(order=-2.0), lambda x: x.norm(-2, dim=-1)),
    Case(norm(order=-1.0), (ZEROS,), lambda p, s, x: np.array([0.0, 6 / 11]), grad=False),
    Case(norm(order=0.0), (ZEROS,), lambda p, s, x: np.array([0.0, 3.0]), grad=False),
    case(ops.logsumexp(axis=(1, 2), keepdims=True), lambda x: x.logsumexp((1, 2), keepdim=True)),
    case(clip(min=0.0), lambda x: x.clamp(min=0), TIES),
    case(clip(max=0.5), lambda x: x.clamp(max=0.5), TIES),
    case(absolute, torch.abs, TIES),
]
