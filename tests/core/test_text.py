"""Expressions: printed and read back, for random networks, in lines of any width."""

import jax
import jax.numpy as jnp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import parse
from compose.core.printing import source
from tests.networks import EXAMPLE, keeping, networks

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@given(networks(), st.sampled_from([88, 40, 1]))
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_random_networks_print_and_parse(net, width):
    text = source(net, width)
    again = parse(text)
    assert again == net and hash(again) == hash(net)
    assert source(again, width) == text


@given(keeping())
@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
def test_the_parsed_network_computes_the_same_bits(net):
    again = parse(str(net))
    made, same = net.init(0, EXAMPLE), again.init(0, EXAMPLE)
    outs = [n.apply(*made, EXAMPLE, rng=1, train=True) for n in (net, again)]
    for a, b in [(made, same), outs]:
        assert jax.tree.structure(a) == jax.tree.structure(b)
        assert all(map(jnp.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))
