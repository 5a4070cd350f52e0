"""Graphs by hand, as a front end would read them, and their direct evaluation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.layer import Layer, as_layer
from compose.core.param import Param
from compose.core.parsing import parse
from compose.core.plan import plan
from compose.port.ir.graph import Op, SourceGraph
from compose.port.ir.recovered import Recovered
from compose.port.ir.weights import View
from compose.port.structure import recover


class Build:
    """`value = b(layer, *values, at="layer1.0.conv1", classes="Sequential.BasicBlock.Conv2d")`."""

    def __init__(self, *specs: Any):
        self.specs = dict(enumerate(specs))
        self.inputs = tuple(self.specs)
        self.ops: list[Op] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.rng = np.random.default_rng(0)

    def __call__(self, layer: Any, *values: int, at: str = "", classes: str = "", weights: Any = None) -> int:
        layer: Layer = as_layer(layer)
        x = tuple(self.specs[v] for v in values)
        made = plan(layer, x[0] if len(x) == 1 else x)
        output = len(self.specs)
        self.specs[output] = made.out
        base = at or f"op{output}"
        trees = [
            {name: View(f"{base}.{name}") for name in _flat(tree)} if weights is None or tree is made.state else weights
            for tree in (made.params, made.state)
        ]
        for tree, views in zip((made.params, made.state), trees):
            for name, param in _flat(tree).items():
                source = views[name].source
                if source not in self.arrays:
                    array = self.rng.uniform(0.5, 1.5, param.shape) * self.rng.choice([-1, 1], param.shape)
                    self.arrays[source] = np.abs(array) if name == "var" else array
        path, kinds = tuple(at.split(".")) if at else (), tuple(classes.split(".")) if classes else ()
        self.ops.append(Op(layer, values, output, *trees, path=path, classes=kinds or ("",) * len(path)))
        return output

    def graph(self, outputs: Any) -> SourceGraph:
        return SourceGraph(self.inputs, tuple(self.ops), outputs, self.arrays)


def evaluate(graph: SourceGraph, *xs: Any) -> Any:
    """The outputs of a graph, operation by operation."""
    values = dict(zip(graph.inputs, xs))
    for op in graph.ops:
        trees = [_nested({k: t.forward(graph.arrays[t.source]) for k, t in w.items()}) for w in (op.weights, op.state)]
        args = tuple(values[v] for v in op.inputs)
        values[op.output] = op.layer.apply(*jax.tree.map(jnp.asarray, trees), *args)[0]
    return jax.tree.map(lambda v: values[v], graph.outputs)


def f64(*size: int) -> jax.ShapeDtypeStruct:
    """Two examples of a shape."""
    return jax.ShapeDtypeStruct((2, *size), np.float64)


def check(b: Build, outputs: Any, net: Layer | None = None, repeats: bool = True) -> Recovered:
    """The recovered net is `net`, computes what the graph does on mapped weights, and maps them back."""
    graph = b.graph(outputs)
    specs = [b.specs[v] for v in b.inputs]
    made = recover(graph, *specs, repeats=repeats)
    if net is not None:
        assert str(made.net) == str(net)
        assert made.net == net
    assert parse(str(made.net)) == made.net
    params, state = jax.tree.map(jnp.asarray, made.weights.load(graph.arrays))
    xs = [b.rng.uniform(0 if s.dtype == np.int32 else -2, 3, s.shape).astype(s.dtype) for s in specs]
    got, want = made.net.apply(params, state, *xs)[0], evaluate(graph, *xs)
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
        assert np.ptp(w) > 0
        np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-12)
    back = made.weights.dump(params, state, {k: np.zeros_like(v) for k, v in graph.arrays.items()})
    for name, array in graph.arrays.items():
        np.testing.assert_array_equal(back[name], array)
    return made


def _flat(tree: dict, path: str = "") -> dict[str, Param]:
    made: dict[str, Param] = {}
    for key, value in tree.items():
        made |= {path + key: value} if isinstance(value, Param) else _flat(value, f"{path}{key}/")
    return made


def _nested(flat: dict[str, Any]) -> dict:
    tree: dict = {}
    for path, value in flat.items():
        *parents, last = path.split("/")
        at = tree
        for key in parents:
            at = at.setdefault(key, {})
        at[last] = value
    return tree
