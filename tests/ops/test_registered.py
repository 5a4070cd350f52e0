"""Every listed operation is the function of JAX: as text, as a plan, as a program, and in its gradient."""

from __future__ import annotations

import builtins
import functools
import pickle
import sys
import types

import jax
import jax.numpy as jnp
import pytest

import compose
from compose import branch, compose_seq, fc, ops, parse, tanh
from compose.core.errors import ConfigError, ParseError
from compose.core.registry import words
from compose.ops import elementwise
from compose.ops.registered import LISTED, OPERATIONS, function_at
from tests.ops.inputs import cases

CASES = [pytest.param(op, inputs, id=str(op)) for op, inputs in cases()]


def in_jax(op, inputs: tuple):
    """The call of JAX's function that an operation stands for, written by its signature."""
    listed = next(path for path in LISTED if path.rpartition(".")[2] == op.kind)
    fn, named = function_at(listed), dict(op.options)
    if op.of_a_list:
        return lambda *xs: fn(list(xs), **named)
    names = list(op.__signature__.parameters)
    first = [named.pop(n) for n in names if n in named and op.__signature__.parameters[n].kind == 0]
    if not first:
        return lambda *xs: fn(*xs, **named)
    given = dict(op.options)

    def call(*xs):
        rest = iter(xs)
        return fn(*(given[n] if n in given else next(rest) for n in names[: len(inputs) + len(first)]), **named)

    return call


def floats(tree) -> list:
    return [a for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)]


@pytest.mark.parametrize("op,inputs", CASES)
def test_is_the_function_of_jax(op, inputs):
    """One program, so one result; the same for the gradient by the first floating-point input."""
    ours = lambda *xs: op.apply({}, {}, *xs)[0]
    theirs = in_jax(op, inputs)
    as_text = lambda fn: str(jax.make_jaxpr(lambda *xs: jax.tree.leaves(fn(*xs)))(*inputs))
    assert as_text(ours) == as_text(theirs)
    at = next((i for i, x in enumerate(inputs) if jnp.issubdtype(x.dtype, jnp.floating)), None)
    if at is not None and floats(jax.eval_shape(theirs, *inputs)):
        total = lambda fn: jax.grad(lambda *xs: sum(jnp.sum(a) for a in floats(fn(*xs))), at)
        try:
            wanted = as_text(total(theirs))
        except (NotImplementedError, TypeError, ValueError) as e:  # it has no gradient in JAX
            with pytest.raises(type(e)):
                as_text(total(ours))
        else:
            assert as_text(total(ours)) == wanted


@pytest.mark.parametrize("op,inputs", CASES)
def test_prints_parses_and_plans(op, inputs):
    assert str(op).startswith(f"ops.{op.kind}")
    assert parse(str(op)) == op and pickle.loads(pickle.dumps(op)) == op
    planned = op.plan(inputs[0] if len(inputs) == 1 else inputs).out
    wanted = jax.eval_shape(lambda *xs: jax.tree.leaves(in_jax(op, inputs)(*xs)), *inputs)
    kind = lambda leaf: (leaf.shape, leaf.dtype)
    assert [*map(kind, jax.tree.leaves(planned))] == [*map(kind, wanted)]


def test_at_least_200_operations_are_words():
    assert len(OPERATIONS) == len(LISTED) >= 200
    assert {f"ops.{name}" for name in OPERATIONS} == {name for name in words() if name.startswith("ops.")}
    assert set(OPERATIONS) == set(ops.__all__) == set(dir(ops))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=lambda d: d.__name__)
def test_those_planned_without_a_trace_keep_shape_and_dtype(dtype):
    for path in elementwise.FLOAT_TO_FLOAT:
        x = jax.ShapeDtypeStruct((3, 4), dtype)
        try:
            out = jax.eval_shape(function_at(path), x)
        except (NotImplementedError, TypeError, ValueError):
            continue
        assert (out.shape, out.dtype) == (x.shape, x.dtype), path


def test_functions_of_jax_become_operations():
    assert compose_seq(fc(3), jnp.exp) == compose_seq(fc(3), ops.exp)
    assert compose_seq(fc(3), jnp.arctan) == compose_seq(fc(3), ops.atan)
    assert compose_seq(fc(3), jnp.tanh) == compose_seq(fc(3), tanh)  # the word comes first
    lifted = compose_seq(fc(3), functools.partial(jnp.mean, axis=1))
    assert str(lifted) == "compose_seq(fc(3), ops.mean(axis=1))" and parse(str(lifted)) == lifted
    assert branch(fc(3), fc(3), join=jnp.maximum) == branch(fc(3), fc(3), join=ops.maximum)


HOSTILE = [
    "ops", "ops.", "ops()", "ops.nothing", "ops.__class__", "ops.__init__", "ops.sum.fn", "ops.sum.__call__",
    "ops.ops.sum", "ops.sum.sum", "ops['sum']", "ops.sum(axis=1).fn", "ops.OPERATIONS",
    "ops.registered", "ops.registered.jax",
    "ops.operation", "ops.elementwise", "compose.ops.sum", "jnp.sum", "fc.sum", "(ops).sum(1)", "ops.sum(lambda x: x)",
    "ops.sum(axis=fc)", "ops.sum(axis=fc(3))", "ops.sum(axis=lambda x: x)", "ops.sum(axis=ops)", "ops.sum(a=ops.sum)",
    "graph(lambda ops: ops.sum(ops))", "graph(lambda x: x.sum(x))", "ops.ｓum",
    "compose_seq(ops, fc(3))", "ops.sum(**ops)", "ops.sum(axis=1)(axis=2)()", "ops.sum(axis=1, axis=2)", "fromfile",
    "ops.fromfile", "ops.load", "ops.save", "ops.frombuffer", "ops.vectorize", "ops.apply_along_axis", "ops.while_loop",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_text_reaches_the_list_and_nothing_else(text):
    with pytest.raises((ParseError, ConfigError)) as e:
        parse(text)
    assert len(str(e.value)) < 1_000


def test_the_namespace_cannot_be_taken():
    with pytest.raises(ConfigError, match="other than a namespace"):

        @compose.register
        def ops(x):
            return x


def test_from_compose_import_all_shadows_nothing():
    names: dict = {}
    exec("from compose import *", names)
    del names["__builtins__"]
    assert not set(names) & set(dir(builtins))
    modules = {name for name, value in names.items() if isinstance(value, types.ModuleType)}
    assert not modules & set(sys.stdlib_module_names) and "ops" in modules
