"""Cases of normalisation."""

import torch
import torch.nn.functional as F

from compose import (
    batch_norm,
    batch_renorm,
    compose_seq,
    conv,
    fc,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    repeat,
    rescale,
    rms_norm,
    spectral_norm,
    standardize,
    tanh,
    unit_norm,
    unstandardize,
    weight_norm,
)
from tests.cases.case import Case
from tests.cases.conv import convolved
from tests.cases.in_torch import in_torch


def batch_normed(train=False, momentum=0.99, epsilon=1e-5, unbiased=False):
    def reference(p, s, x):
        mean, var = s["mean"].clone(), s["var"].clone()
        y = F.batch_norm(x, mean, var, p.get("scale"), p.get("bias"), train, 1 - momentum, epsilon)
        if train and not unbiased:  # torch has the unbiased one alone
            seen = x.detach().transpose(0, 1).flatten(1).var(1, unbiased=False)
            var = momentum * s["var"] + (1 - momentum) * seen
        return (y, {"mean": mean, "var": var}) if train else y

    return in_torch(reference)


def renormed(p, s, x):
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2), unbiased=False)
    std = (var + 1e-5).sqrt()
    r = (std / s["renorm_std"]).detach().clamp(0.9, 1.2)
    d = ((mean - s["renorm_mean"]) / s["renorm_std"]).detach().clamp(-0.1, 0.1)
    y = ((x - mean) / std * r + d) * p["scale"] + p["bias"]
    keep = lambda by, old, new: by * s[old] + (1 - by) * new.detach()
    after = {"mean": keep(0.99, "mean", mean), "std": keep(0.99, "std", std)}
    after |= {"renorm_mean": keep(0.9, "renorm_mean", mean), "renorm_std": keep(0.9, "renorm_std", std)}
    return y, {**after, "var": after["std"] ** 2 - 1e-5}


def both(**options):
    return {"reference": batch_normed(**options), "train_reference": batch_normed(True, **options)}


def layer_normed(epsilon=1e-5):
    def reference(p, s, x):
        shape = p["scale"].shape if "scale" in p else x.shape[-1:]
        return F.layer_norm(x, shape, p.get("scale"), p.get("bias"), epsilon)

    return in_torch(reference, turned=False)


def grouped(groups, epsilon=1e-5):
    def reference(p, s, x):  # torch has no gradient for a bias without a scale
        return F.group_norm(x, groups, p.get("scale", x.new_ones(x.shape[1])), p.get("bias"), epsilon)

    return in_torch(reference)


def instance(p, s, x):
    return F.instance_norm(x, weight=p.get("scale"), bias=p.get("bias"))


def rms(p, s, x):
    return F.rms_norm(x, p["scale"].shape, p["scale"], 1e-6)


def local_response(p, s, x):
    """torch's own takes a vector of channels for the batch of an unbatched one."""
    y = F.local_response_norm(x.flatten(2) if x.ndim > 2 else x[..., None], 4, 0.1, 0.5, 2.0)
    return y.reshape(x.shape)


def weight_normed(p, s, x):
    v = p["kernel"]
    kernel = torch._weight_norm(v, p["weight_norm"]["kernel"], v.ndim - 1)
    return convolved(padding=1).fn({**p, "kernel": kernel}, s, x)


def spectral(p, s, x):
    return x @ (p["kernel"] / s["spectral_norm"]["kernel"]["sigma"]) + p["bias"]


def spectral_step(p, s, x):
    u, matrix = s["spectral_norm"]["kernel"]["u"], p["kernel"]
    with torch.no_grad():
        v = F.normalize(matrix @ u, dim=0)
        u = F.normalize(v @ matrix, dim=0)
    sigma = v @ matrix @ u
    return x @ (matrix / sigma) + p["bias"], {"spectral_norm": {"kernel": {"u": u, "sigma": sigma.detach()}}}


def spectral_blocks(p, s, x):
    for kernel, bias, sigma in zip(p["kernel"], p["bias"], s["spectral_norm"]["kernel"]["sigma"]):
        x = torch.tanh(x @ (kernel / sigma) + bias)
    return x


ROWS, STEPS, IMAGE, VOLUME = ((5, 6),), ((3, 5, 4),), ((2, 4, 5, 6),), ((2, 3, 4, 2, 6),)

CASES = [
    Case(batch_norm(), IMAGE, **both()),
    Case(batch_norm(momentum=0.9, unbiased=True), ROWS, **both(momentum=0.9, unbiased=True)),
    Case(
        batch_renorm(limits=(0.9, 1.2), shift=0.1, renorm_momentum=0.9),
        IMAGE,
        batch_normed(),
        in_torch(renormed, turned=False),
        grad=False,  # r and d are held fixed
    ),
    Case(layer_norm(), STEPS, layer_normed()),
    Case(rms_norm(), STEPS, in_torch(rms, turned=False)),
    Case(group_norm(3), IMAGE, grouped(3)),
    Case(instance_norm(), IMAGE, in_torch(instance)),
    Case(local_response_norm(4, 0.1, 0.5, 2.0), IMAGE, in_torch(local_response)),
    Case(unit_norm, STEPS, in_torch(lambda p, s, x: F.normalize(x, dim=-1), turned=False)),
    Case(rescale(1 / 255, -0.5), ROWS, in_torch(lambda p, s, x: x / 255 - 0.5)),
    Case(standardize((0.5, 1, 2), (1, 2, 4)), ((2, 3),), lambda p, s, x: (x - [0.5, 1, 2]) / [1, 2, 4]),
    Case(unstandardize((0.5, 1, 2), (1, 2, 4)), ((2, 3),), lambda p, s, x: x * [1, 2, 4] + [0.5, 1, 2]),
    Case(unstandardize(3.0, (1, 2), channels_first=True), ((3, 2, 4),), lambda p, s, x: x * [[1], [2]] + 3.0),
    Case(weight_norm(conv(3, 3)), IMAGE, in_torch(weight_normed)),
    Case(spectral_norm(fc(4)), ROWS, in_torch(spectral), in_torch(spectral_step), grad=False),  # u is held fixed
]

OPTIONS = [
    *(Case(batch_norm(0.9, 1e-3), shape, **both(momentum=0.9, epsilon=1e-3)) for shape in (STEPS, VOLUME)),
    Case(batch_norm(scale=False), IMAGE, **both()),
    Case(batch_norm(scale=False, bias=False), IMAGE, **both()),
    Case(batch_norm(unbiased=True), IMAGE, **both(unbiased=True)),
    Case(layer_norm(2, 1e-3), IMAGE, layer_normed(1e-3)),
    Case(layer_norm(bias=False), STEPS, layer_normed()),
    Case(layer_norm(scale=False, bias=False), STEPS, layer_normed()),
    Case(rms_norm(2), IMAGE, in_torch(rms, turned=False)),
    Case(rms_norm(scale=False), ROWS, in_torch(lambda p, s, x: F.rms_norm(x, x.shape[-1:], eps=1e-6))),
    *(Case(group_norm(2, 1e-3), shape, grouped(2, 1e-3)) for shape in (ROWS, STEPS, VOLUME)),
    Case(group_norm(1, scale=False), IMAGE, grouped(1)),
    *(Case(instance_norm(), shape, in_torch(instance)) for shape in (STEPS, VOLUME)),
    Case(instance_norm(scale=False, bias=False), IMAGE, in_torch(instance)),
    *(Case(local_response_norm(4, 0.1, 0.5, 2.0), shape, in_torch(local_response)) for shape in (STEPS, VOLUME)),
    Case(spectral_norm(repeat(3, fc(6, tanh))), ROWS, in_torch(spectral_blocks)),
    Case(
        weight_norm(compose_seq(conv(3, 3, name="a"), tanh)),
        IMAGE,
        in_torch(lambda p, s, x: torch.tanh(weight_normed({**p["a"], "weight_norm": p["weight_norm"]["a"]}, s, x))),
    ),
]
