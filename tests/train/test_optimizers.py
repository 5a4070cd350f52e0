"""Optimizers by name, and frozen parameters: what does not train has no optimizer state."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from compose import compose_seq, fc, frozen, lora, relu
from compose.train.optimizers import OPTIMIZERS, merge, optimizer_of, split
from compose.train.structural_key import structural_key

X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


def fitted(net, **options):
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.05, weight_decay=0.5))
    options = {"optimizer": optimizer, "epochs": 3, "batch_size": 10, "verbose": False, **options}
    return net.fit(X, Y, loss="cross_entropy", **options)


def moved(before, after):
    """The paths of the parameters that are not what they were."""
    pairs = jax.tree.leaves(jax.tree.map(lambda a, b: bool((np.asarray(a) != np.asarray(b)).any()), before, after))
    paths = [
        jax.tree_util.keystr(p, simple=True, separator="/") for p, _ in jax.tree_util.tree_leaves_with_path(before)
    ]
    return {path for path, changed in zip(paths, pairs) if changed}


def test_frozen_layers_keep_their_bits_under_weight_decay():
    net = compose_seq(frozen(fc(8, relu)), fc(3))
    params, _ = net.init(0, X)
    trained = fitted(net, start=(params, {}))
    assert moved(params, trained.params) == {"fc_1/kernel", "fc_1/bias"}
    opt_state = [leaf for leaf in jax.tree.leaves(trained.session.optimizer_state) if leaf.ndim > 0]
    assert sorted(leaf.shape for leaf in opt_state) == [(3,), (3,), (8, 3), (8, 3)]


def test_lora_trains_its_two_factors_alone():
    net = compose_seq(lora(fc(8, relu), rank=2), fc(3))
    params, _ = net.init(0, X)
    trained = fitted(net, start=(params, {}))
    assert moved(params, trained.params) == {
        "fc_0/lora/kernel/a", "fc_0/lora/kernel/b", "fc_1/kernel", "fc_1/bias",
    }  # fmt: skip


def test_freezing_is_training_the_rest_on_its_features():
    body, head = fc(8, relu), fc(3)
    whole = fitted(compose_seq(frozen(body), head))
    features, _ = body.apply(whole.params["fc_0"], {}, X)
    start, _ = compose_seq(frozen(body), head).init(0, X)
    alone = head.fit(
        features, Y, loss="cross_entropy", optimizer=whole.session.optimizer, epochs=3, batch_size=10, verbose=False,
        start=(start["fc_1"], {}),
    )  # fmt: skip
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), alone.params, whole.params["fc_1"]
    )


def test_a_network_wholly_frozen_still_runs():
    net = frozen(fc(3))
    params, _ = net.init(0, X)
    with pytest.warns(UserWarning, match="nothing trains: all parameters of the network are frozen"):
        trained = fitted(net, start=(params, {}))
    assert moved(params, trained.params) == set()


@pytest.mark.parametrize("net", [fc(3), frozen(fc(3)), compose_seq(lora(fc(8)), frozen(fc(4)), fc(3))], ids=str)
def test_split_and_merge(net):
    params, _ = net.init(0, X)
    training, fixed = split(net, params)
    assert len(jax.tree.leaves(training)) + len(jax.tree.leaves(fixed)) == len(jax.tree.leaves(params))
    assert moved(params, merge(training, fixed)) == set()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_by_name(name, rng):
    params = {"w": jnp.ones(3)}
    optimizer = optimizer_of(name)
    updates, _ = optimizer.update({"w": jnp.ones(3)}, optimizer.init(params), params)
    assert (np.asarray(updates["w"]) < 0).all()
    assert structural_key(optimizer_of(name)) == structural_key(optimizer)
    half, again = optimizer_of(name, jnp.float32(0.5)), optimizer_of(name, 0.5)
    assert structural_key(half) == structural_key(again) != structural_key(optimizer)
