"""Cases of the layers that move numbers, take parts, or add a constant."""

import torch

from compose import (  # fmt: skip
    add_constant,
    at,
    broadcast_to,
    compose_seq,
    ensure_shape,
    flatten,
    float32,
    ops,
    permute,
    repeat_vector,
    reshape,
    scale,
    split,
    unflatten,
)
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

X = (2, 3, 4)


def case(layer, fn, *shapes):
    return Case(layer, shapes or (X,), in_torch(lambda p, s, *xs: fn(*xs), turned=False))


CASES = [
    case(reshape(4, 3), lambda x: x.reshape(2, 4, 3)),
    case(reshape(2, -1, 2), lambda x: x.reshape(2, 2, 3, 2)),
    case(reshape(-1, 4, batch=False), lambda x: x.reshape(-1, 4)),
    case(permute(0, 2, 1), lambda x: x.permute(0, 2, 1)),
    case(broadcast_to(3, -1), lambda x: x.expand(2, 3, 4), (2, 1, 4)),
    case(ensure_shape(None, 3, 4), lambda x: x),
    case(flatten, lambda x: x.flatten(1)),
    case(unflatten(axis=2, shape=(2, -1)), lambda x: x.unflatten(2, (2, 2))),
    case(ops.squeeze(axis=1), lambda x: x.squeeze(1), (2, 1, 4)),
    case(ops.expand_dims(axis=1), lambda x: x.unsqueeze(1)),
    case(repeat_vector(times=3), lambda x: x[:, None].expand(2, 3, 4), (2, 4)),
    case(ops.roll(shift=1, axis=1), lambda x: x.roll(1, 1)),
    case(ops.flip(axis=1), lambda x: x.flip(1)),
    case(ops.tile(reps=(2, 3)), lambda x: x.tile(2, 3)),
    Case(ops.astype(dtype=float32), (X,), lambda p, s, x: x, tolerance=1e-6, grad=False),
    case(scale(by=0.5), lambda x: x / 2),
    case(add_constant(value=-1.5), lambda x: x - 1.5),
    case(split(parts=2), lambda x: x.chunk(2, -1)),
    case(ops.unstack(axis=1), lambda x: x.unbind(1)),
    case(at(":, -1"), lambda x: x[:, -1]),
    Case(at("1"), ((2, 3), (2, 4)), lambda p, s, x, y: y),
]

OPTIONS = [
    case(flatten(start=0), lambda x: x.flatten()),
    case(flatten(start=-2, end=-1), lambda x: x.flatten(-2)),
    case(flatten(start=1, end=2), lambda x: x.flatten(1, 2), (2, 3, 4, 5)),
    case(unflatten(axis=-2, shape=(3, 1)), lambda x: x.unflatten(1, (3, 1))),
    case(ops.squeeze(axis=(1, 3)), lambda x: x[:, 0, :, 0], (2, 1, 4, 1)),
    case(ops.expand_dims(axis=(0, -1)), lambda x: x[None, ..., None]),
    case(ops.roll(shift=(1, -2), axis=(1, 2)), lambda x: x.roll((1, -2), (1, 2))),
    case(ops.flip(axis=(0, 2)), lambda x: x.flip(0, 2)),
    case(split(parts=(1, 2), axis=1), lambda x: x.split((1, 2), 1)),
    case(ops.unstack(axis=-1), lambda x: x.unbind(-1)),
    case(at("..., None, ::2"), lambda x: x[..., None, ::2]),
    case(at("0, 1:"), lambda x: x[0, 1:]),
    case(compose_seq(permute(2, 0, 1), flatten), lambda x: torch.permute(x, (2, 0, 1)).flatten(1)),
]
