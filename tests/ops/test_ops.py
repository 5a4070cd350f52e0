"""Every operation is the function of JAX: as text, as a plan, as a program, and in its gradient."""

from __future__ import annotations

import builtins
import functools
import inspect
import pickle
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import compose
from compose import branch, compose_seq, fc, graph, ops, parse, tanh
from compose.core.errors import ConfigError, LayerError, ParseError
from compose.core.plan import specs
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
    assert specs(jax.tree.leaves(planned)) == jax.eval_shape(
        lambda *xs: jax.tree.leaves(in_jax(op, inputs)(*xs)), *inputs
    )


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


def test_signature_and_help_are_those_of_jax():
    assert inspect.signature(ops.take_along_axis) == inspect.signature(jnp.take_along_axis)
    assert str(inspect.signature(ops.maximum)) == "(x, y, /)"  # a ufunc of JAX says *args
    assert inspect.getdoc(ops.log1p) == inspect.getdoc(jnp.log1p)
    assert inspect.getdoc(ops.sum(axis=1)) == inspect.getdoc(jnp.sum)


def test_functions_of_jax_become_operations():
    assert compose_seq(fc(3), jnp.exp) == compose_seq(fc(3), ops.exp)
    assert compose_seq(fc(3), jnp.arctan) == compose_seq(fc(3), ops.atan)
    assert compose_seq(fc(3), jnp.tanh) == compose_seq(fc(3), tanh)  # the word comes first
    lifted = compose_seq(fc(3), functools.partial(jnp.mean, axis=1))
    assert str(lifted) == "compose_seq(fc(3), ops.mean(axis=1))" and parse(str(lifted)) == lifted
    assert branch(fc(3), fc(3), join=jnp.maximum) == branch(fc(3), fc(3), join=ops.maximum)


def test_in_a_graph():
    net = graph(lambda x, i: ops.take_along_axis(axis=1)(ops.maximum(x, 0.5), i))
    assert str(net) == "graph(lambda x, y: ops.take_along_axis(axis=1)(ops.maximum(y=0.5)(x), y))"
    assert parse(str(net)) == net
    x, i = np.array([[0.0, 1.0, 2.0]]), np.array([[2, 0]])
    np.testing.assert_array_equal(net(jnp.asarray(x), jnp.asarray(i)), [[2.0, 0.5]])


def test_called_on_arrays():
    np.testing.assert_array_equal(ops.sum(axis=1)(jnp.ones((2, 3))), [3.0, 3.0])
    np.testing.assert_array_equal(ops.power(jnp.full(2, 3.0), 2), [9.0, 9.0])


def test_several_outputs_are_a_plain_tuple():
    values, places = ops.top_k(k=1)(jnp.array([1.0, 3.0]))  # pyright: ignore
    np.testing.assert_array_equal((values, places), ([3.0], [1]))
    assert type(ops.eigh(jnp.eye(2))) is tuple


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda: ops.sum(axes=1), r"an option that ops.sum takes \(a, axis, dtype, .*keepdims.*\), got 'axes'"),
        (lambda: ops.sum(1), r"options by name, as in ops.sum\(axis=1\) \(it takes a, axis, .*\), got ops.sum\(1\)"),
        (lambda: ops.sum(axis=np.ones(2)), r"axis= to be a number, .*, got ops.sum\(axis=ndarray\)"),
        (lambda: ops.sum(axis={0}), "axis= to be a number"),
        (lambda: ops.where(y=fc(3)), "y= to be a number"),
        (lambda: ops.maximum.out(3), r"inputs and options for maximum\(x, y\), got 1 input .*: missing"),
        (lambda: ops.moveaxis.out(3), "missing a required argument: 'source'"),
        (lambda: ops.exp.out(3, 4), r"inputs and options for exp\(x\), got 2 inputs .*: too many"),
    ],
)
def test_errors_name_the_options(build, message):
    with pytest.raises((ConfigError, LayerError), match=message):
        build()


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
    with pytest.raises(ConfigError, match="no namespace"):

        @compose.register
        def ops(x):
            return x


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
        st.sampled_from([jnp.float32, jnp.int8, jnp.bfloat16, jnp.dtype("uint16"), np.float16, bool, np.int64(3)]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)  # fmt: skip


@given(st.sampled_from(sorted(OPERATIONS)), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_options_read_back(name, data):
    op = OPERATIONS[name]
    known = [n for n, p in op.__signature__.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    op = op(**data.draw(st.dictionaries(st.sampled_from(known), VALUES, max_size=3)))
    assert parse(str(op)) == op and hash(parse(str(op))) == hash(op) and pickle.loads(pickle.dumps(op)) == op


def test_from_compose_import_all_shadows_nothing():
    names: dict = {}
    exec("from compose import *", names)
    del names["__builtins__"]
    assert not set(names) & set(dir(builtins))
    modules = {name for name, value in names.items() if isinstance(value, types.ModuleType)}
    assert not modules & set(sys.stdlib_module_names) and "ops" in modules
