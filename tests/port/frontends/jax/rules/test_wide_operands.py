"""Values beside constants and weights that are longer along an axis."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from compose import port
from tests.port.frontends.wide_operands import KERNEL, WIDE, X, operations

PARAMS = {"k": KERNEL, "wide": WIDE}
ARRAYS = {
    "numbers": lambda p, x: jnp.full((4, 1), 0.7),
    "numbers like the input": lambda p, x: jnp.full_like(x, 0.7),
    "weights": lambda p, x: p["wide"],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_each_operation_repeats_the_value(name):
    def model(p, x):
        a = (x @ p["k"]).mean(1, keepdims=True)
        total = lambda part: part.sum(1)
        return operations(a, ARRAYS[name](p, x), total, jnp.maximum, jnp.minimum, jnp.where)

    params = PARAMS if name == "weights" else {"k": KERNEL}
    assert port.from_jax(model, params, X).verify("step").ok


def test_a_sum_of_both_is_no_residual():
    model = lambda p, x: x @ p["k"] + ((x @ p["k"]).mean(1, keepdims=True) + jnp.zeros_like(x))
    assert port.from_jax(model, {"k": KERNEL}, X).verify("step").ok


def test_repeated_where_the_batch_is_second():
    model = lambda p, x: jnp.broadcast_to((x @ p["k"]).transpose(1, 0, 2)[:1], (3, len(x), 6)).transpose(1, 0, 2)
    assert port.from_jax(model, {"k": KERNEL}, X).verify("step").ok
