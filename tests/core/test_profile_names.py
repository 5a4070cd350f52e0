"""Operations are named by the path of their layer, in what a profiler reads; the program is otherwise the same."""

from __future__ import annotations

import contextlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax

from compose import (
    batch_norm,
    compose_seq,
    conv,
    embedding,
    fc,
    flatten,
    graph,
    mixture,
    named,
    relu,
    repeat,
    residual,
    share,
    softmax,
)
from compose.train.distribution import ONE_DEVICE
from compose.train.examples import examples
from compose.train.optimizers import split
from compose.train.scoring import Scoring
from compose.train.train_step import Carry, training_steps

x = np.ones((4, 8, 8, 2), np.float32)
net = compose_seq(
    named("stem", compose_seq(named("conv", conv(4, 3)), batch_norm(), relu)),
    repeat(2, residual(compose_seq(named("inner", conv(4, 3)), relu))),
    flatten,
    fc(3, softmax),
)
params, state = net.init(0, x)


def paths(compiled) -> set[str]:
    """The names of all operations of a compiled program, without the marks of JAX's transformations."""
    found = re.findall(r'op_name="([^"]*)"', compiled.as_text())
    for _ in range(9):
        found = [re.sub(r"\w+\(([^()]*)\)", r"\1", name) for name in found]
    return set(found)


def named_in(compiled, path: str) -> bool:
    return any(f"/{path}/" in f"/{name}/" for name in paths(compiled))


def test_the_compiled_program_has_the_paths():
    compiled = jax.jit(lambda p: net.apply(p, state, x)[0]).lower(params).compile()
    for path in ("stem/conv", "stem/batch_norm_0", "fc_0", "fc_0/activation"):
        assert named_in(compiled, path), path
    assert any("repeat_0" in name and "body/inner" in name for name in paths(compiled))
    assert not named_in(compiled, "fc_1")


def test_the_training_step_has_them_for_the_gradient_too():
    optimizer = optax.sgd(0.1)
    training, fixed = split(net, params)
    scores = Scoring(net, examples(x, np.arange(4) % 3), "cross_entropy").scores
    run = training_steps(net, scores, optimizer, None, None, ONE_DEVICE)
    carry = Carry(training, optimizer.init(training), state, jnp.int32(0))
    arrays = (jnp.asarray(x), jnp.arange(4) % 3)
    rest = (scores.start(4), (fixed, jax.random.key(0)), arrays, jnp.arange(4), 0, 0, 2)
    text = run.lower(carry, *rest, size=2).compile().as_text()
    names = re.findall(r'op_name="([^"]*)"', text)
    for path in (r"stem\W+conv", r"stem\W+batch_norm_0", r"fc_0", r"body\W+inner"):
        assert any(re.search(path, name) and "transpose" in name for name in names), path
        assert any(re.search(path, name) and "transpose" not in name for name in names), path


def test_graphs_shared_layers_and_experts():
    shared = share(embedding(9, 4, name="table"), lambda e: compose_seq(e, fc(4, name="hidden"), e.attend), name="tied")
    ids = jnp.arange(6).reshape(2, 3)
    tied = compose_seq(shared, graph(lambda y: fc(3, name="a")(y) + fc(3, name="b")(y)), mixture(2, fc(3, name="one")))
    p, s = tied.init(0, ids)
    compiled = jax.jit(lambda p: tied.apply(p, s, ids)[0]).lower(p).compile()
    for path in ("hidden", "graph_0/a", "graph_0/b", "mixture_0/expert"):
        assert named_in(compiled, path), path


def test_any_name_will_do():
    for name in ("größe", "with space", 'quo"ted', "back\\slash", "a.b", "(a)"):
        odd = compose_seq(fc(2, name=name))
        p, s = odd.init(0, np.ones((1, 3), np.float32))
        assert jax.jit(lambda p, odd=odd, s=s: odd.apply(p, s, np.ones((1, 3), np.float32))[0])(p).shape == (1, 2)


def test_the_program_is_the_same_but_for_the_names(monkeypatch):
    def program():
        step = lambda p: jax.value_and_grad(lambda p: net.apply(p, state, x, train=True)[0].sum())(p)
        lowered = jax.jit(step).lower(params)
        return str(jax.make_jaxpr(step)(params)), lowered.as_text(), lowered.compile().cost_analysis()

    with_names = program()
    monkeypatch.setattr(jax, "named_scope", lambda name: contextlib.nullcontext())
    assert program() == with_names
