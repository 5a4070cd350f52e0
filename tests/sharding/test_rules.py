"""Layouts of parameters, on meshes that need no devices."""

from __future__ import annotations

import jax
import pytest
from jax.sharding import PartitionSpec as P

from compose import compose_seq, embedding, encoder_block, fc, lstm, relu, repeat, shardings, spec
from compose.core.errors import ConfigError
from compose.core.patterns import paths
from compose.core.plan import plan

MESH = jax.sharding.AbstractMesh((4, 2), ("data", "model"))
MODEL = compose_seq(embedding(64, 32), repeat(3, encoder_block(4, 128, dropout=0.0)), fc(64), fc(32, relu), lstm(8))


def layout(net, *inputs, rules):
    params = plan(net, *inputs).param_specs()
    found = shardings(params, MESH, rules)
    return {path: s.spec for path, s in zip(paths(params), jax.tree.leaves(found)) if s.spec != P()}


def test_tensor():
    """Stacked blocks have an axis in front; the second of two products is split by rows."""
    found = layout(MODEL, spec(6, dtype=int), rules="tensor")
    kernels = {path.rpartition("repeat_0/")[2]: s for path, s in found.items() if path.startswith("repeat_0")}
    assert found["embedding_0/embedding"] == P("model", None)
    assert found["fc_0/kernel"] == P(None, "model") and found["fc_1/kernel"] == P("model", None)
    assert {s for path, s in kernels.items() if path.endswith("query_kernel")} == {P(None, None, "model")}
    assert {s for path, s in kernels.items() if path.endswith("out_kernel")} == {P(None, "model", None)}
    assert not [path for path in found if path.startswith("lstm")]


def test_fsdp_splits_the_largest_axis_that_divides():
    found = layout(compose_seq(fc(50), fc(64), fc(3)), spec(40), rules="fsdp")
    assert found == {"fc_0/kernel": P("data", None), "fc_1/kernel": P(None, "data")}


def test_rules_name_the_last_axes():
    rules = {"repeat_0/**/query_kernel": (None, ("data", "model")), "fc_*/bias": ("data",), "**": ()}
    found = layout(MODEL, spec(6, dtype=int), rules=rules)
    assert {s for s in found.values()} == {P(None, None, ("data", "model")), P("data")}


def test_a_size_that_the_mesh_does_not_divide_is_refused():
    with pytest.raises(ConfigError, match=r"axes that divide the parameter kernel \(5, 3\).*3 over 'data'"):
        layout(fc(3), spec(5), rules={"kernel": (None, "data")})


def test_a_mesh_without_a_model_axis():
    params = plan(fc(3), spec(5)).param_specs()
    with pytest.raises(ConfigError, match="a mesh with an axis 'model'"):
        shardings(params, jax.sharding.AbstractMesh((8,), ("data",)), "tensor")
