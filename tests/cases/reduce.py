"""Cases of the reductions and of the elementwise functions."""

import numpy as np
import torch

from compose import (
    abs,
    argmax,
    argmin,
    clip,
    cos,
    cumprod,
    cumsum,
    erf,
    exp,
    expm1,
    log,
    log1p,
    logsumexp,
    max,
    mean,
    min,
    norm,
    power,
    prod,
    reciprocal,
    rsqrt,
    sign,
    sin,
    softplus,
    sqrt,
    square,
    std,
    stop_gradient,
    sum,
    var,
)  # fmt: skip
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
    case(mean(axis=1), lambda x: x.mean(1)),
    case(sum(axis=1), lambda x: x.sum(1)),
    case(prod(axis=1), lambda x: x.prod(1)),
    case(max(axis=1), lambda x: x.amax(1)),
    case(min(axis=1), lambda x: x.amin(1)),
    case(var(axis=1), lambda x: x.var(1, correction=0)),
    case(std(axis=1, ddof=1), lambda x: x.std(1)),
    case(norm, lambda x: x.norm(dim=-1)),
    case(logsumexp(axis=1), lambda x: x.logsumexp(1)),
    Case(argmax(axis=1), (X,), lambda p, s, x: x.argmax(1), grad=False),
    Case(argmin(axis=1), (X,), lambda p, s, x: x.argmin(1), grad=False),
    case(cumsum(axis=1), lambda x: x.cumsum(1)),
    case(cumprod(axis=1), lambda x: x.cumprod(1)),
    case(abs, torch.abs),
    case(clip(low=-0.5, high=0.5), lambda x: x.clamp(-0.5, 0.5)),
    case(cos, torch.cos),
    case(erf, torch.erf),
    case(exp, torch.exp),
    case(expm1, torch.expm1),
    positive(log1p, torch.log1p),
    Case(stop_gradient, (X,), lambda p, s, x: x, grad=False),
    positive(log, torch.log),
    case(power(exponent=3), lambda x: x**3),
    positive(reciprocal, torch.reciprocal),
    positive(rsqrt, torch.rsqrt),
    case(sign, torch.sign),
    case(sin, torch.sin),
    positive(sqrt, torch.sqrt),
    case(square, torch.square),
]

OPTIONS = [
    case(mean, lambda x: x.mean()),
    case(mean(axis=(1, 2), keepdims=True), lambda x: x.mean((1, 2), keepdim=True)),
    case(sum(axis=(0, 2)), lambda x: x.sum((0, 2))),
    case(sum(axis=-1, keepdims=True), lambda x: x.sum(-1, keepdim=True)),
    case(prod(axis=-1, keepdims=True), lambda x: x.prod(-1, keepdim=True)),
    case(max(axis=(1, 2)), lambda x: x.amax((1, 2))),
    case(max(axis=1, keepdims=True), lambda x: x.amax(1, keepdim=True), TIES),
    case(min(axis=1), lambda x: x.amin(1), TIES),
    case(var(axis=(0, 1), ddof=1, keepdims=True), lambda x: x.var((0, 1), keepdim=True)),
    case(std(axis=1, keepdims=True), lambda x: x.std(1, correction=0, keepdim=True)),
    case(norm(axis=(1, 2), keepdims=True), lambda x: x.norm(dim=(1, 2), keepdim=True)),
    case(norm(order=1.0), lambda x: x.norm(1, dim=-1), ZEROS),
    case(norm(order=3.0, axis=1), lambda x: x.norm(3, dim=1)),
    case(norm, lambda x: x.norm(dim=-1), ZEROS),
    case(logsumexp(axis=(1, 2), keepdims=True), lambda x: x.logsumexp((1, 2), keepdim=True)),
    case(clip(low=0.0), lambda x: x.clamp(min=0), TIES),
    case(clip(high=0.5), lambda x: x.clamp(max=0.5), TIES),
    case(abs, torch.abs, TIES),
]
