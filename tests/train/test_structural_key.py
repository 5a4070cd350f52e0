"""Keys of functions: equal for what is made anew, different for what computes something else."""

from __future__ import annotations

import functools
import itertools
import types
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from compose import compose_seq, fc, relu
from compose.train.losses.known import loss_of
from compose.train.metrics.known import metric_of
from compose.train.structural_key import by_structure, structural_key


def made_by(source: str, name: str = "f", **given):
    """The function that a notebook's cell defines, in a module of its own."""
    module = types.ModuleType("__main__")
    vars(module).update(given)
    exec(source, vars(module))
    return vars(module)[name]


class Decay(NamedTuple):
    rate: float

    def __call__(self, step):
        return self.rate / (1 + step)


class Config:
    """Options as people keep them: an object, or the class itself."""

    weight = 0.1

    def __init__(self, weight=0.1):
        self.held = {"weight": weight}


def recursive(n):
    def f(p, t):
        return p if n == 0 else f(p, t)

    return f


MASK = {"fc_0": {"kernel": True, "bias": False}}

# Each is made twice: the two keys must be equal. All keys of one another must differ.
MADE = {
    "adam": lambda: optax.adam(1e-3),
    "adam, another rate": lambda: optax.adam(2e-3),
    "adam, another beta": lambda: optax.adam(1e-3, b1=0.8),
    "adam, Nesterov": lambda: optax.adam(1e-3, nesterov=True),
    "adam in bfloat16": lambda: optax.adam(1e-3, mu_dtype=jnp.bfloat16),
    "adamw": lambda: optax.adamw(1e-3),
    "sgd": lambda: optax.sgd(0.1),
    "sgd, a negative zero": lambda: optax.sgd(0.1, momentum=-0.0),
    "sgd, a zero": lambda: optax.sgd(0.1, momentum=0.0),
    "sgd, an integer": lambda: optax.sgd(1),
    "sgd, a float": lambda: optax.sgd(1.0),
    "schedule": lambda: optax.adam(optax.cosine_decay_schedule(1e-3, 100)),
    "longer schedule": lambda: optax.adam(optax.cosine_decay_schedule(1e-3, 200)),
    "joined": lambda: optax.sgd(
        optax.join_schedules([optax.constant_schedule(1.0), optax.linear_schedule(1, 0, 9)], [5])
    ),
    "joined later": lambda: optax.sgd(
        optax.join_schedules([optax.constant_schedule(1.0), optax.linear_schedule(1, 0, 9)], [6])
    ),
    "chain": lambda: optax.chain(optax.clip(1.0), optax.adam(1e-3)),
    "chain in another order": lambda: optax.chain(optax.adam(1e-3), optax.clip(1.0)),
    "mask": lambda: optax.masked(optax.adam(1e-3), {"fc_0": {"kernel": True, "bias": False}}),
    "another mask": lambda: optax.masked(optax.adam(1e-3), {"fc_0": {"kernel": True, "bias": True}}),
    "mask by function": lambda: optax.masked(optax.adam(1e-3), lambda p: jax.tree.map(lambda a: a.ndim > 1, p)),
    "mask by another function": lambda: optax.masked(optax.adam(1e-3), lambda p: jax.tree.map(lambda a: a.ndim > 2, p)),
    "groups": lambda: optax.multi_transform({"a": optax.sgd(0.1), "b": optax.adam(1e-3)}, {"x": "a", "y": "b"}),
    "groups, swapped": lambda: optax.multi_transform(
        {"a": optax.sgd(0.1), "b": optax.adam(1e-3)}, {"x": "b", "y": "a"}
    ),
    "injected": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=1e-3),
    "injected schedule": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=optax.linear_schedule(1e-3, 0, 9)),
    "noise": lambda: optax.add_noise(0.1, 0.5, jax.random.key(1)),
    "noise from another key": lambda: optax.add_noise(0.1, 0.5, jax.random.key(2)),
    "accumulated": lambda: optax.MultiSteps(optax.adam(1e-3), 2),
    "accumulated longer": lambda: optax.MultiSteps(optax.adam(1e-3), 3),
    "plateau": lambda: optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=1)),
    "schedule free": lambda: optax.contrib.schedule_free_adamw(1e-2),
    "lambda over a number": lambda: (lambda w: lambda p, t: w * (p - t))(2),
    "lambda over a float": lambda: (lambda w: lambda p, t: w * (p - t))(2.0),
    "lambda over an array": lambda: (lambda w: lambda p, t: w * (p - t))(np.float32([1, 2])),
    "lambda over another array": lambda: (lambda w: lambda p, t: w * (p - t))(np.float32([1, 3])),
    "lambda over a wider array": lambda: (lambda w: lambda p, t: w * (p - t))(np.float64([1, 2])),
    "lambda over a JAX array": lambda: (lambda w: lambda p, t: w * (p - t))(jnp.float32([1, 2])),
    "lambda over a list": lambda: (lambda w: lambda p, t: w[0] * (p - t))([1, 2]),
    "lambda over another list": lambda: (lambda w: lambda p, t: w[0] * (p - t))([1, 3]),
    "lambda over options": lambda: (lambda c: lambda p, t: c.held["weight"] * (p - t))(Config(0.1)),
    "lambda over other options": lambda: (lambda c: lambda p, t: c.held["weight"] * (p - t))(Config(0.2)),
    "lambda over a namespace": lambda: (lambda c: lambda p, t: c.w * (p - t))(types.SimpleNamespace(w=1)),
    "lambda over another namespace": lambda: (lambda c: lambda p, t: c.w * (p - t))(types.SimpleNamespace(w=2)),
    "defaults": lambda: lambda p, t, w=1: w * (p - t),
    "other defaults": lambda: lambda p, t, w=2: w * (p - t),
    "keyword defaults": lambda: lambda p, t, *, w=1: w * (p - t),
    "other keyword defaults": lambda: lambda p, t, *, w=2: w * (p - t),
    "partial": lambda: functools.partial(optax.losses.huber_loss, delta=0.5),
    "another partial": lambda: functools.partial(optax.losses.huber_loss, delta=0.6),
    "partial by position": lambda: functools.partial(max, 0.5),
    "named tuple": lambda: optax.sgd(Decay(0.1)),
    "another named tuple": lambda: optax.sgd(Decay(0.2)),
    "jitted": lambda: jax.jit(lambda p, t: p - t),
    "jitted, negated": lambda: jax.jit(lambda p, t: t - p),
    "mapped": lambda: jax.vmap(lambda p, t: p - t),
    "mapped over another axis": lambda: jax.vmap(lambda p, t: p - t, in_axes=1),
    "recursive": lambda: recursive(0),
    "recursive, another": lambda: recursive(1),
    "nested code": lambda: lambda p, t: (lambda a: a + 1)(p),
    "other nested code": lambda: lambda p, t: (lambda a: a + 2)(p),
    "a cell": lambda: made_by("def f(p, t): return K * (p - t)", K=1),
    "a cell with another global": lambda: made_by("def f(p, t): return K * (p - t)", K=2),
    "a helper": lambda: made_by("def g(p): return K * p\ndef f(p, t): return g(p) - t", K=1),
    "a helper with another global": lambda: made_by("def g(p): return K * p\ndef f(p, t): return g(p) - t", K=2),
    "another helper": lambda: made_by("def g(p): return -p\ndef f(p, t): return g(p) - t", K=1),
    "a module's number": lambda: made_by("def f(p, t): return m.k * p", m=module_with(k=1)),
    "a module's other number": lambda: made_by("def f(p, t): return m.k * p", m=module_with(k=2)),
    "a global in a nested function": lambda: made_by("def f(p, t): return (lambda a: K * a)(p)", K=1),
    "another one in a nested function": lambda: made_by("def f(p, t): return (lambda a: K * a)(p)", K=2),
    "a loss": lambda: loss_of("mse"),
    "another loss": lambda: loss_of("mae"),
    "a loss by function": lambda: loss_of(lambda p, t: p - t),
    "top 5": lambda: metric_of("top_5"),
    "top 6": lambda: metric_of("top_6"),
    "a network": lambda: compose_seq(fc(3, relu), lambda x: x / 2),
    "another network": lambda: compose_seq(fc(3, relu), lambda x: x / 3),
}


def module_with(**names):
    module = types.ModuleType("settings")
    vars(module).update(names)
    return module


@pytest.fixture(scope="module")
def keys():
    return {name: structural_key(make()) for name, make in MADE.items()}


@pytest.mark.parametrize("name", MADE)
def test_made_anew_it_is_the_same(name, keys):
    again = structural_key(MADE[name]())
    assert again == keys[name] and hash(again) == hash(keys[name])


def test_all_others_differ(keys):
    same = [(a, b) for a, b in itertools.combinations(keys, 2) if keys[a] == keys[b]]
    assert same == []


def test_every_optimizer_by_name_made_anew_is_the_same():
    from compose.train.optimizers import OPTIMIZERS

    made = {name: [structural_key(make(1e-3)) for _ in range(2)] for name, make in OPTIMIZERS.items()}
    assert all(a == b for a, b in made.values())
    assert len({first for first, _ in made.values()}) == len(made)


@pytest.mark.parametrize(
    "change", ["global", "attribute of a class", "attribute", "list", "array", "default", "helper"]
)
def test_what_has_changed_differs(change, monkeypatch):
    held, numbers, array = Config(1), [1], np.ones(3)
    f = made_by(
        "def g(p): return p\ndef f(p, t, w=1): return K * Config.weight * c.held['weight'] * numbers[0] * a * g(p)",
        K=1, Config=Config, c=held, numbers=numbers, a=array,
    )  # fmt: skip
    before = structural_key(f)
    assert structural_key(f) == before != f
    match change:
        case "global":
            f.__globals__["K"] = 2
        case "attribute of a class":
            monkeypatch.setattr(Config, "weight", 7)
        case "attribute":
            held.held = {"weight": 2}
        case "list":
            numbers.append(2)
        case "array":
            array[0] = 2
        case "default":
            f.__defaults__ = (2,)
        case "helper":
            f.__globals__["g"] = lambda p: -p
    assert structural_key(f) != before


@pytest.mark.parametrize(
    "part", [iter([1]), itertools.count(), (i for i in ()), module_with(k=1), np.ma.masked_array([1.0], [True])],
    ids=["iterator", "count", "generator", "module", "masked array"],
)  # fmt: skip
def test_what_cannot_be_read_equals_only_itself(part):
    make = lambda: (lambda held: lambda p, t: held)(part)
    f = make()
    assert structural_key(f) is f
    assert structural_key(f) != structural_key(make())
    wrapped = functools.partial(f, 1)
    assert structural_key(wrapped) is wrapped, "nor does what is around it"


@pytest.mark.parametrize("body", ["globals()['K']", "eval('K')", "undefined", "__import__('settings').k"])
def test_code_that_looks_names_up_equals_only_itself(body):
    f = made_by(f"def f(p, t): return {body}", K=1)
    assert structural_key(f) is f


def test_a_layer_of_ones_own_counts_by_what_it_does():
    source = """
from compose import Layer, Param
from compose.core.layer import unlisted
@unlisted
class mine(Layer):
    size: int = 3
    def forward(self, p, x, ctx):
        return K * x
"""
    made = made_by(source, "mine", K=2)
    assert structural_key(made()) == structural_key(made()) != structural_key(made(size=4))
    before = structural_key(made())
    made.forward.__globals__["K"] = 3
    assert structural_key(made()) != before
    assert isinstance(before, tuple), "it could be read"


def test_an_address_is_not_reused():
    keys = {structural_key(made_by("def f(p, t): return g(p)", g=len)) for _ in range(50)}
    assert len(keys) == 1
    opaque = {structural_key((lambda held: lambda p: held)(iter([1]))) for _ in range(50)}
    assert len(opaque) == 50


def test_results_are_remembered_by_the_keys_of_the_values():
    built = []
    build = by_structure(lambda values: built.append(values()[1]) or object(), kept=2)
    make = lambda w: lambda p: w[0] * p
    one = build(make([1]), 0)
    assert build(make([1]), 0) is one and built == [0]
    assert build(make([2]), 0) is not one
    assert build(make([1]), 1) is not one
    build(make([3]), 3)
    assert build(make([1]), 0) is not one, "only the last ones are kept"


def test_what_is_traced_later_are_the_values_of_the_latest_call():
    build = by_structure(lambda values: jax.jit(lambda p: values()[0](p)))
    weights = [5]
    changing = lambda p: weights[0] * p
    same = lambda weights: lambda p: weights[0] * p
    first = build(changing)
    assert first(1) == 5
    weights[0] = 6
    assert build(changing) is not first and build(changing)(1) == 6
    again = build(same([5]))
    assert again(1) == 5 and again(jnp.ones(2))[0] == 5
    held = [5]
    build(same(held))
    held[0] = 7
    assert build(same([5])) is again and again(jnp.ones(3))[0] == 5, "traced anew for another shape"


def test_a_schedule_that_changes_what_it_captured():
    optimizer = lambda: optax.adam(optax.cosine_decay_schedule(1e-3, 45))
    used = optimizer()
    used.update({"w": jnp.ones(2)}, used.init({"w": jnp.ones(2)}))
    assert structural_key(optimizer()) == structural_key(optimizer())
