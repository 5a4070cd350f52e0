"""Random networks for hypothesis: any layer of the catalogue in any combinator, or such as keep a shape."""

from __future__ import annotations

import jax.numpy as jnp
from hypothesis import HealthCheck
from hypothesis import strategies as st

import compose as c
from compose import Layer
from tests.cases.subject import families

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

LEAVES = [case.layer for cases in families().values() for case in cases]
KEEPING = [
    c.relu, c.tanh, c.gelu(approximate=True), c.softmax, c.scale(by=-0.5), c.identity, c.layer_norm(), c.batch_norm(),
    c.dropout(0.5), c.learned_scale(), c.fc(4), c.fc(4, c.prelu()), c.fc(4, c.tanh, kernel_init=c.orthogonal),
]  # fmt: skip
NAMES = st.sampled_from(
    [None, None, None, "a", "b1", "größe", "x", "h", "e", "with space", 'quo"ted', "it's", "back\\slash"]
)


@st.composite
def networks(draw, depth: int = 3, scope: tuple = ()) -> Layer:
    """Networks whose text is of interest, not their shapes: every leaf, option, combinator, name and sharing."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        leaf = draw(st.sampled_from(LEAVES + list(scope) * 40 + [e.attend for e in scope] * 10))
        return _renamed(leaf, draw(NAMES))
    inner = networks(depth=depth - 1, scope=scope)
    one, several = inner, st.lists(inner, min_size=1, max_size=4)
    kind = draw(
        st.sampled_from(["seq", "sum", "branch", "product", "parallel", "residual", "repeat", "wrap", "share", "graph"])
    )
    name = draw(NAMES)
    match kind:
        case "seq":
            made = lambda: c.compose_seq(*draw(several), name=name)
        case "sum":
            made = lambda: draw(one) + draw(one)
        case "product":
            made = lambda: draw(one) * draw(one)
        case "branch":
            joins = st.sampled_from([c.add, c.multiply, c.collect, c.concat(axis=1), c.maximum])
            made = lambda: c.branch(*draw(several), join=draw(joins), name=name)
        case "parallel":
            made = lambda: c.parallel(*draw(several), name=name)
        case "residual":
            made = lambda: c.residual(draw(one), draw(one), name=name)
        case "repeat":
            options = {"remat": draw(st.booleans()), "unroll": draw(st.integers(1, 3))}
            made = lambda: c.repeat(draw(st.integers(1, 9)), draw(one), **options, name=name)
        case "wrap":
            wrap = draw(st.sampled_from([c.frozen, c.remat, c.when_training, lambda f: c.cast(f, c.bfloat16), c.lora]))
            made = lambda: wrap(draw(one))
        case "share":
            made = lambda: c.share(draw(one), lambda e: draw(networks(depth=depth - 1, scope=(*scope, e))), name=name)
        case "graph":
            made = lambda: _graph(draw, inner, name)
    try:
        return made()
    except c.LayerError:  # names that clash: half of what is drawn is drawn to clash
        return draw(st.sampled_from(LEAVES))


@st.composite
def keeping(draw, depth: int = 2, scope: tuple = ()) -> Layer:
    """Networks from (batch, 4) to (batch, 4)."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(KEEPING + list(scope) * 6))
    inner = keeping(depth=depth - 1, scope=scope)
    one, several = inner, st.lists(inner, min_size=1, max_size=3)
    match draw(st.sampled_from(["seq", "sum", "branch", "residual", "repeat", "wrap", "share", "graph"])):
        case "seq":
            return c.compose_seq(*draw(several))
        case "sum":
            return draw(one) + draw(one) * draw(one)
        case "branch":
            return c.branch(*draw(several), join=draw(st.sampled_from([c.add, c.average, c.multiply])))
        case "residual":
            return c.residual(draw(one))
        case "repeat":
            return c.repeat(draw(st.integers(1, 3)), draw(one))
        case "wrap":
            return draw(st.sampled_from([c.frozen, c.remat, c.when_training]))(draw(one))
        case "share":
            return c.share(draw(one), lambda e: e >> draw(keeping(depth=depth - 1, scope=(*scope, e))))
        case _:
            return _graph(draw, inner, None, joins_only=True)


def _graph(draw, inner, name: str | None, joins_only: bool = False) -> Layer:
    """A graph of up to five steps on values drawn from all before, with one output or a tuple."""
    count = 1 if joins_only else draw(st.integers(1, 4))

    def build(*inputs):
        values = list(inputs)
        pick = lambda: draw(st.sampled_from(values))
        for _ in range(draw(st.integers(1, 5))):
            a, b, number = pick(), pick(), draw(st.sampled_from([2, -0.5, 1e30]))
            operators = [
                lambda a=a: draw(inner)(a), lambda a=a, b=b: a + b, lambda a=a, b=b: a * b, lambda a=a, b=b: a - b,
                lambda a=a, n=number: a * n, lambda a=a: a + -1.5, lambda a=a: -a,
            ]  # fmt: skip
            loose = [
                lambda a=a, b=b: a / b, lambda a=a, b=b: a @ b, lambda a=a: a[0], lambda a=a: a[:, -1, ..., None],
                lambda a=a: a[::2, 1:], lambda a=a, b=b: c.concat(axis=1)(a, b, a), lambda a=a, b=b: draw(inner)(a, b),
            ]  # fmt: skip
            values.append(draw(st.sampled_from(operators if joins_only else operators + loose))())
        if joins_only or draw(st.booleans()):
            return values[-1]
        return draw(
            st.sampled_from([(values[-1],), (pick(), values[-1]), (values[-1], (pick(), values[0])), values[-2]])
        )

    lambdas = [lambda x: build(x), lambda x, y: build(x, y), lambda x, y, z: build(x, y, z)]
    return c.graph((*lambdas, lambda p, q, r, s: build(p, q, r, s))[count - 1], name=name)


def _renamed(leaf: Layer, name: str | None) -> Layer:
    return leaf if name is None else c.named(name, leaf)


EXAMPLE = jnp.linspace(-1, 1, 8).reshape(2, 4)
