"""Adaptive pooling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import (
    adaptive_avg_pool,
    adaptive_max_pool,
)
from tests.cases.case import Case
from tests.cases.in_torch import prove
from tests.cases.pool import ADAPTIVE_AVG, ADAPTIVE_MAX, pooled

BOUNDED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 10))
@settings(BOUNDED, max_examples=8)
def test_adaptive_pools_are_torch(x64, rank, length, bins):
    x = np.random.default_rng(length).normal(size=(2, *[length] * rank, 2))
    prove(Case(adaptive_avg_pool(bins), (x,)), pooled(ADAPTIVE_AVG, bins))
    prove(Case(adaptive_max_pool(bins), (x,)), pooled(ADAPTIVE_MAX, bins))


def test_adaptive_bins_that_divide_are_a_reshape():
    jaxpr = str(jax.make_jaxpr(adaptive_avg_pool((2, 2)))(jnp.ones((1, 4, 4, 1))))
    assert "slice" not in jaxpr and jaxpr.count("reduce_sum") == 2
