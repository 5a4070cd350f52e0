"""Cases of the combinators and wrappers."""

import numpy as np

from compose import (
    add,
    branch,
    cast,
    choose,
    collect,
    compose_seq,
    concat,
    divide,
    fc,
    float32,
    frozen,
    graph,
    identity,
    lora,
    multiply,
    parallel,
    relu,
    remat,
    repeat,
    residual,
    scale,
    share,
    sigmoid,
    subtract,
    tanh,
    when_training,
)  # fmt: skip
from tests.cases.case import Case


def affine(p, x):
    return x @ p["kernel"] + p["bias"]


def seq(p, s, x):
    return affine(p["out"], np.maximum(affine(p["fc_0"], x), 0))


def repeated_with_common(p, s, x, c):
    for kernel, bias in zip(p["fc_0"]["kernel"], p["fc_0"]["bias"]):
        x = np.tanh(x @ kernel + bias) * c
    return x


def repeated(p, s, x):
    for i in range(3):
        x = np.tanh(x @ p["kernel"][i] + p["bias"][i])
    return x


def gated(p, s, x, c):
    h = affine(p["fc_0"], x)
    return h / (1 + np.exp(-affine(p["fc_1"], c))) + h, 2 * h - 1


def low_rank(p, s, x):
    pair = p["lora"]["kernel"]
    return x @ (p["kernel"] + 2 * pair["a"] @ pair["b"]) + p["bias"]


CASES = [
    Case(choose(fc(3), tanh), (np.array(True), (2, 3)), lambda p, s, c, x: affine(p["fc_0"], x)),
    Case(choose(tanh, fc(3)), (np.array(False), (2, 3)), lambda p, s, c, x: affine(p["fc_0"], x)),
    Case(compose_seq(fc(4, relu), fc(2, name="out")), ((3, 5),), seq),
    Case(branch(fc(2), fc(3)), ((3, 5),), lambda p, s, x: (affine(p["fc_0"], x), affine(p["fc_1"], x))),
    Case(
        branch(fc(2), identity, join=concat()),
        ((3, 5),),
        lambda p, s, x: np.concatenate([affine(p["fc_0"], x), x], -1),
    ),
    Case(fc(4) + fc(4), ((3, 5),), lambda p, s, x: affine(p["fc_0"], x) + affine(p["fc_1"], x)),
    Case(fc(5, tanh) * identity, ((3, 5),), lambda p, s, x: np.tanh(affine(p["fc_0"], x)) * x),
    Case(parallel(fc(2), fc(3)), ((3, 5), (3, 4)), lambda p, s, x, y: (affine(p["fc_0"], x), affine(p["fc_1"], y))),
    Case(residual(fc(5, tanh)), ((3, 5),), lambda p, s, x: x + np.tanh(affine(p["body"], x))),
    Case(
        residual(fc(4, tanh), fc(4, bias=False)),
        ((3, 5),),
        lambda p, s, x: x @ p["shortcut"]["kernel"] + np.tanh(affine(p["body"], x)),
    ),
    Case(repeat(3, fc(5, tanh)), ((2, 5),), repeated),
    Case(repeat(3, fc(5, tanh), remat=True, unroll=3), ((2, 5),), repeated),
    Case(repeat(3, graph(lambda x, c: fc(5, tanh)(x) * c)), ((2, 5), (2, 5)), repeated_with_common),
    Case(
        share(fc(5, tanh), lambda e: compose_seq(e, scale(by=2.0), e)),
        ((2, 5),),
        lambda p, s, x: np.tanh(affine(p["fc_0"], 2 * np.tanh(affine(p["fc_0"], x)))),
    ),
    Case(graph(lambda x, c: ((h := fc(4)(x)) * fc(4, sigmoid)(c) + h, h * 2 - 1)), ((3, 5), (3, 2)), gated),
    Case(frozen(fc(4)), ((3, 5),), lambda p, s, x: affine(p, x), grad=False),
    Case(remat(fc(4, tanh)), ((3, 5),), lambda p, s, x: np.tanh(affine(p, x))),
    Case(cast(fc(4), float32), ((3, 5),), lambda p, s, x: affine(p, x), tolerance=1e-6, grad=False),
    Case(when_training(fc(5)), ((3, 5),), lambda p, s, x: x),
    Case(lora(fc(4), rank=3, alpha=6), ((3, 5),), low_rank, grad=False),
    Case(identity, ((3, 5),), lambda p, s, x: x),
    Case(add, ((3, 5), (3, 5), (3, 5)), lambda p, s, x, y, z: x + y + z),
    Case(subtract, ((3, 5), (3, 5)), lambda p, s, x, y: x - y),
    Case(multiply, ((3, 5), (3, 5), (3, 1)), lambda p, s, x, y, z: x * y * z),
    Case(divide, ((3, 5), (3, 5)), lambda p, s, x, y: x / y),
    Case(collect, ((3, 5), (3, 4)), lambda p, s, x, y: (x, y)),
]
