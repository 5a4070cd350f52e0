"""Operations: options by JAX's names, inputs, outputs, documentation and errors."""

from __future__ import annotations

import inspect
import pickle
import pydoc

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import fc, graph, ops, parse
from compose.core.errors import ConfigError, LayerError
from compose.ops.registered import OPERATIONS


def test_signature_and_help_are_those_of_jax():
    assert inspect.signature(ops.take_along_axis) == inspect.signature(jnp.take_along_axis)
    assert str(inspect.signature(ops.maximum)) == "(x, y, /)"  # a ufunc of JAX says *args
    assert inspect.getdoc(ops.log1p) == inspect.getdoc(jnp.log1p)
    assert inspect.getdoc(ops.sum(axis=1)) == inspect.getdoc(jnp.sum)
    assert "log1p(x: 'ArrayLike', /)" in pydoc.plain(pydoc.render_doc(ops.log1p))


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


def test_a_dtype_is_the_same_by_its_name():
    assert ops.astype(dtype="float32") == ops.astype(dtype=jnp.float32) == parse("ops.astype(dtype=float32)")
    assert str(ops.astype(dtype="bool")) == 'ops.astype(dtype="bool")'


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


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
        st.sampled_from([jnp.float32, jnp.int8, jnp.bfloat16, jnp.dtype("uint16"), np.float16, bool, np.int64(3)]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)  # fmt: skip


@pytest.mark.slow
@given(st.sampled_from(sorted(OPERATIONS)), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_options_read_back(name, data):
    op = OPERATIONS[name]
    known = [n for n, p in op.__signature__.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    options = st.dictionaries(st.sampled_from(known), VALUES, max_size=3) if known else st.just({})
    op = op(**data.draw(options))
    assert parse(str(op)) == op and hash(parse(str(op))) == hash(op) and pickle.loads(pickle.dumps(op)) == op
