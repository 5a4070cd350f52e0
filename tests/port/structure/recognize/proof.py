"""A graph written out in plain words, and the layer that it must or must not become, with values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from tests.port.structure.build import Build, check, evaluate, f64


def recognized(write: Callable[..., int], *shapes: tuple[int, ...]) -> str:
    """The network of what `write(b, *values)` builds, as text.

    Its values and its gradients by inputs and weights are those of the operations one by one, in float64.
    """
    b = Build(*(f64(*shape) for shape in shapes))
    output = write(b, *b.inputs)
    found = check(b, output)
    graph = b.graph(output)
    xs = tuple(b.rng.uniform(0.2, 2.0, spec.shape) for spec in (b.specs[v] for v in b.inputs))
    cotangent = b.rng.normal(size=b.specs[output].shape)
    arrays = {name: jnp.asarray(array) for name, array in graph.arrays.items()}

    def theirs(arrays, xs):
        loaded = type(graph)(graph.inputs, graph.ops, graph.outputs, arrays)
        return (evaluate(loaded, *xs) * cotangent).sum()

    def ours(params, xs):
        return (found.net.apply(params, state, *xs)[0] * cotangent).sum()

    params, state = jax.tree.map(jnp.asarray, found.weights.load(graph.arrays))
    by_params, by_xs = jax.grad(ours, (0, 1))(params, xs)
    by_arrays, wanted = jax.grad(theirs, (0, 1))(arrays, xs)
    for got, want in zip(by_xs, wanted):
        assert np.ptp(want) > 0
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
    back = found.weights.dump(by_params, state, {k: np.zeros_like(v) for k, v in graph.arrays.items()})
    for name, want in by_arrays.items():
        np.testing.assert_allclose(back[name], want, rtol=1e-10, atol=1e-10)
    return " ".join(str(found.net).split())
