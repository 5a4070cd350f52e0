"""Any graph of small layers: the recovered expression computes what the graph does, bit by bit."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose import add, batch_norm, concat, dropout, fc, multiply, parse, relu, tanh
from compose.port.ir.weights import View
from compose.port.structure import recover
from tests.port.structure.build import Build, evaluate

WIDTH = 3
LEAVES = (fc(WIDTH), fc(WIDTH, tanh), tanh, relu, batch_norm(), dropout(0.5))


def series_parallel(draw, b: Build, x: int, depth: int) -> int:
    """A random series-parallel graph from the value `x`."""
    kind = draw(st.sampled_from(["leaf", "series", "sum", "product", "skip", "concat"] if depth else ["leaf"]))
    if kind == "leaf":
        return b(draw(st.sampled_from(LEAVES)), x)
    first = series_parallel(draw, b, x, depth - 1)
    if kind == "series":
        return series_parallel(draw, b, first, depth - 1)
    other = x if kind == "skip" else series_parallel(draw, b, x, depth - 1)
    if kind == "concat":
        return b(fc(WIDTH), b(concat(), *draw(st.permutations([first, other]))))
    return b(multiply if kind == "product" else add, *draw(st.permutations([first, other])))


def any_graph(draw, b: Build) -> int:
    """A random acyclic graph: each operation reads any values before it."""
    for _ in range(draw(st.integers(1, 8))):
        values = list(b.specs)
        if draw(st.booleans()):
            b(draw(st.sampled_from(LEAVES)), draw(st.sampled_from(values)))
        else:
            pair = draw(st.lists(st.sampled_from(values), min_size=2, max_size=3))
            b(draw(st.sampled_from([add, multiply])), *pair)
    return max(b.specs)


def modules(draw, b: Build) -> None:
    """Random module paths, whether or not they are parts of the graph that hang together."""
    from dataclasses import replace

    for i, op in enumerate(b.ops):
        path = tuple(draw(st.sampled_from("ab12")) for _ in range(draw(st.integers(0, 3))))
        b.ops[i] = replace(op, path=path, classes=tuple("Block" for _ in path))


def agrees(b: Build, outputs, repeats: bool) -> str:
    graph = b.graph(outputs)
    specs = [b.specs[v] for v in b.inputs]
    made = recover(graph, *specs, repeats=repeats)
    assert parse(str(made.net)) == made.net
    used = {view.source for op in graph.ops for view in (*op.weights.values(), *op.state.values())}
    taken = [record.view.source for record in made.weights]
    assert len(taken) == len(set(taken)) and set(taken) <= used
    params, state = made.weights.load(graph.arrays)
    xs = [b.rng.normal(size=s.shape) for s in specs]
    for got, want in zip(*map(jax.tree.leaves, (made.net.apply(params, state, *xs)[0], evaluate(graph, *xs)))):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    back = made.weights.dump(params, state, {k: np.zeros_like(v) for k, v in graph.arrays.items()})
    for name in taken:
        np.testing.assert_array_equal(back[name], graph.arrays[name])
    return str(made.net)


@pytest.fixture(autouse=True, scope="module")
def _double():
    with jax.enable_x64(True):
        yield


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_what_is_series_parallel_needs_no_graph(data):
    b = Build(jax.ShapeDtypeStruct((2, WIDTH), np.float64))
    output = series_parallel(data.draw, b, 0, data.draw(st.integers(1, 4)))
    assert "graph(" not in agrees(b, output, data.draw(st.booleans()))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_graph_with_any_modules(data):
    b = Build(*[jax.ShapeDtypeStruct((2, WIDTH), np.float64)] * data.draw(st.integers(1, 2)))
    output = any_graph(data.draw, b)
    modules(data.draw, b)
    outputs = output if data.draw(st.booleans()) else (output, data.draw(st.sampled_from(list(b.specs))))
    agrees(b, outputs, data.draw(st.booleans()))


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_layers_that_run_twice_anywhere(data):
    b = Build(jax.ShapeDtypeStruct((2, WIDTH), np.float64))
    any_graph(data.draw, b)
    views = {"kernel": View("twice.kernel"), "bias": View("twice.bias")}
    ends = [b(fc(WIDTH), data.draw(st.sampled_from(list(b.specs))), weights=views) for _ in range(2)]
    text = agrees(b, b(add, *ends, max(b.specs)), False)
    assert text.startswith("share(") and "lambda e:" in text
