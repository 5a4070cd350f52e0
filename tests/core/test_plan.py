"""Plans: shapes, parameters and state for an abstract input, without arrays."""

import jax
import jax.numpy as jnp
import pytest

from compose import batch_norm, compose_seq, dropout, fc, prelu, relu, repeat, share, spec
from compose.core.errors import ConfigError
from compose.core.plan import draws, float_dtype, plan, specs, uses_scope


def test_a_network_plans_once_for_an_input_it_has_met():
    one = compose_seq(fc(5, relu), fc(3))
    assert plan(one, spec(4)) is plan(compose_seq(fc(5, relu), fc(3)), spec(4))
    assert plan(one, spec(4)) is not plan(one, spec(5))


def test_parts_are_in_execution_order_with_their_outputs():
    net_plan = plan(compose_seq(fc(5), batch_norm(), fc(3)), spec(4))
    assert [(key, part.out.shape) for key, part in net_plan.parts] == [
        ("fc_0", (1, 5)),
        ("batch_norm_0", (1, 5)),
        ("fc_1", (1, 3)),
    ]
    assert list(net_plan.params) == ["fc_0", "batch_norm_0", "fc_1"]
    assert list(net_plan.state_specs()["batch_norm_0"]) == ["mean", "var"]
    assert net_plan.param_specs()["fc_0"]["kernel"] == jax.ShapeDtypeStruct((4, 5), jnp.float32)


def test_a_layer_inside_a_leaf_has_its_plan_and_parameters_under_its_key():
    net_plan = plan(fc(5, prelu()), spec(4))
    assert [key for key, _ in net_plan.parts] == ["activation"]
    assert set(net_plan.params) == {"kernel", "bias", "activation"}


def test_a_layer_with_state_inside_a_leaf_is_an_error():
    with pytest.raises(
        ConfigError, match=r"a layer without state as activation, got batch_norm\(\), which has the state"
    ):
        plan(fc(5, batch_norm()), spec(4))


def test_a_repeat_counts_its_parts():
    net_plan = plan(repeat(3, fc(4)), spec(4))
    assert net_plan.times == 3
    assert net_plan.param_specs()["kernel"].shape == (3, 4, 4)


def test_what_draws_and_what_uses_a_shared_layer():
    assert draws(compose_seq(fc(3), dropout(0.5))) and not draws(compose_seq(fc(3), relu))
    shared = share(fc(4), lambda e: compose_seq(e, relu, e))
    assert uses_scope(shared.body) and not uses_scope(fc(3))


def test_specs_and_the_dtype_of_parameters():
    assert specs({"a": jnp.ones((2, 3))}) == {"a": jax.ShapeDtypeStruct((2, 3), jnp.float32)}
    assert float_dtype((spec(3, dtype=int), spec(3, dtype=jnp.bfloat16))) == jnp.bfloat16
    assert float_dtype(spec(3, dtype=int)) == jnp.float32
