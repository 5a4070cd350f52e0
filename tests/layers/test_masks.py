"""Every layer under a mask: padded steps change nothing, or it refuses them by name."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    avg_pool,
    batch_norm,
    compose_seq,
    conv,
    embedding,
    encoder_block,
    fc,
    flatten,
    global_avg_pool,
    global_max_pool,
    group_norm,
    instance_norm,
    layer_norm,
    learned_positions,
    lstm,
    masked,
    multi_head_attention,
    ops,
    relu,
    remat,
    repeat,
    residual,
)
from compose.core.errors import ConfigError, LayerError
from compose.core.plan import draws
from tests.cases.subject import families, label

REFUSED = "no padded steps, since this layer mixes steps and does not know the mask"
CASES = {
    label(case): case
    for family in families().values()
    for case in family
    if len(case.inputs) == 1 and isinstance(case.inputs[0], tuple) and len(case.inputs[0]) > 2 and case.inputs[0][1] > 1
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_padding_changes_nothing(case, x64):
    """With one seed for what is random, since layers draw alike for both inputs."""
    noise, (shape,) = np.random.default_rng(5), case.inputs
    real = np.ones(shape[:2], bool)
    real[0, -1] = False
    inside = real.reshape(*shape[:2], *[1] * (len(shape) - 2))
    x = noise.normal(size=shape)
    other = np.where(inside, x, 9 * noise.normal(size=shape))
    params, state = case.layer.init(0, jnp.asarray(x))
    for train in (False, True):
        options = dict(train=train, rng=jax.random.key(1) if train and draws(case.layer) else None)
        try:
            first, second = (
                case.layer.apply(params, state, jnp.asarray(x), mask=jnp.asarray(real), **options) for x in (x, other)
            )
        except LayerError as e:
            assert REFUSED in str(e)
            return
        for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
            if a.shape[:2] == real.shape and a.ndim > 2:
                a, b = a[real], b[real]
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.fixture
def x(x64, rng):
    return jnp.asarray(rng.normal(size=(3, 6, 8)))


LENGTHS = (6, 4, 2)
MASK = jnp.arange(6) < jnp.array(LENGTHS)[:, None]
KNOW = {
    "mean": global_avg_pool,
    "maximum": global_max_pool,
    "group norm": compose_seq(group_norm(2), global_avg_pool),
    "instance norm": compose_seq(instance_norm(), global_avg_pool),
    "convolution": compose_seq(conv(4, 3, relu), conv(4, 3), global_max_pool),
    "causal": compose_seq(conv(4, 2, padding="causal", dilation=2), lstm(3, output="last")),
    "attention": compose_seq(residual(compose_seq(layer_norm(), multi_head_attention(2))), global_avg_pool),
    "repeated": compose_seq(repeat(2, residual(compose_seq(layer_norm(), conv(8, 3)))), global_avg_pool),
    "recomputed": compose_seq(remat(conv(4, 3, relu)), global_avg_pool),
}


@pytest.mark.parametrize("net", KNOW.values(), ids=KNOW)
def test_a_padded_sequence_is_like_the_short_one(net, x, x64):
    params, state = net.init(0, x)
    together = jax.jit(lambda x, mask: net.apply(params, state, x, mask=mask)[0])(x, MASK)
    for row, length in enumerate(LENGTHS):
        alone = net.apply(params, state, x[row : row + 1, :length])[0]
        np.testing.assert_allclose(together[row : row + 1], alone, rtol=1e-9, atol=1e-12)


def test_batch_statistics_are_those_of_real_steps(x, x64):
    net = batch_norm(momentum=0.0, unbiased=True)
    params, state = net.init(0, x)
    y, after = net.apply(params, state, x, mask=MASK, train=True)
    steps = x[MASK]
    np.testing.assert_allclose(after["mean"], steps.mean(0), rtol=1e-12)
    np.testing.assert_allclose(after["var"], steps.var(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(y[MASK], (steps - steps.mean(0)) / np.sqrt(steps.var(0) + 1e-5), rtol=1e-9)


def test_masked_averages_what_is_real(x64):
    """`masked` over ids and a mean, as in a text classifier."""
    ids = jnp.array([[3, 1, 4, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    net = masked(compose_seq(embedding(5, 3), fc(4, relu), global_avg_pool, fc(2)))
    params, state = net.init(0, ids)
    y = net.apply(params, state, ids)[0]
    for row, length in ((0, 3), (1, 1)):
        want = net.apply(params, state, ids[row : row + 1, :length])[0]
        np.testing.assert_allclose(y[row], want[0], rtol=1e-12)
    assert np.isfinite(y).all()


REFUSE = {
    "flatten": (compose_seq(fc(4), flatten, fc(2)), "flatten_0"),
    "a mean of another kind": (compose_seq(fc(4), ops.mean(axis=1)), "mean_0"),
    "windows": (compose_seq(conv(4, 3), avg_pool(2)), "avg_pool_0"),
    "strides": (conv(4, 3, stride=2), "conv"),
    "a norm over steps": (compose_seq(layer_norm(axes=2), global_avg_pool), "layer_norm_0"),
    "a function": (compose_seq(fc(4), lambda x: x - x.mean(1, keepdims=True)), "lambda_0"),
    "the last step": (compose_seq(fc(4), lambda x: x[:, -1]), "lambda_0"),
}


@pytest.mark.parametrize("net, name", REFUSE.values(), ids=REFUSE)
def test_what_would_mix_padding_in_is_refused(net, name, x):
    net = masked(net)
    params, state = net.init(0, x)
    with pytest.raises(ConfigError, match=REFUSED) as caught:
        net.apply(params, state, x)
    assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "net",
    [
        compose_seq(lambda x: jnp.tanh(x) * 2, fc(3), global_avg_pool),
        compose_seq(residual(fc(8)), learned_positions(6), encoder_block(2), fc(3), global_avg_pool),
        compose_seq(lambda x: x + jnp.arange(6.0)[:, None], fc(3), global_avg_pool),
    ],
    ids=["functions", "blocks", "a constant"],
)
def test_what_computes_each_step_by_itself_passes(net, x):
    net = masked(net)
    params, state = net.init(0, x)
    assert net.apply(params, state, x)[0].shape == (3, 3)
