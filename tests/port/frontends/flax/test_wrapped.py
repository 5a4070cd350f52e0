"""Wrappers and paddings of Flax that are ported, or refused by name."""

from __future__ import annotations

import jax
import pytest
from flax import linen as nn

from compose import port
from compose.core.errors import PortError


def draw(*shape):
    return jax.random.normal(jax.random.key(0), shape)


class Attended(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.SpectralNorm(nn.MultiHeadDotProductAttention(2))(x, x, update_stats=train)


class Several(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.SpectralNorm(nn.DenseGeneral((3, 4), use_bias=False))(x, update_stats=train)


class Weighted(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.WeightNorm(nn.DenseGeneral((3, 4)))(x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "x", "options", "said"),
    [
        (Attended(), draw(5, 3, 4), {"train": False}, "one layer with a kernel inside, got 4"),
        (Several(), draw(5, 2), {"train": False}, "one axis of outputs, got DenseGeneral"),
    ],
)
def test_wrappers_of_more_than_a_matrix_are_refused(module, x, options, said):
    variables = module.init(jax.random.key(1), x, **options)
    with pytest.raises(PortError, match=said):
        port.from_flax(module, variables, x)


@pytest.mark.parametrize("padding", ["CIRCULAR", "REFLECT"])
def test_padding_that_goes_round_more_than_once(padding):
    module, x = nn.Conv(3, (9,), padding=padding), draw(2, 3, 4)
    variables = module.init(jax.random.key(1), x)
    p = port.from_flax(module, variables, x)
    assert "ops.pad" in str(p.net) and p.verify("gradients").ok


def test_a_normalised_kernel_of_more_than_a_matrix_is_read_by_its_operations():
    module, x = Weighted(), draw(5, 4)
    assert port.from_flax(module, module.init(jax.random.key(1), x), x).verify("gradients").ok
