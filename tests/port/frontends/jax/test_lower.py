"""Pure JAX functions of trees of parameters, ported and proven to gradients and training steps."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from compose import port
from compose.core.errors import ParamsError, PortError

RNG = np.random.default_rng(0)
X, SEQUENCE, IMAGE = (RNG.normal(size=s).astype(np.float32) for s in ((4, 6), (4, 5, 6), (2, 6, 6, 3)))
IDS = RNG.integers(0, 6, (4, 5))
W, B, TABLE = (RNG.normal(size=s).astype(np.float32) for s in ((6, 6), (6,), (6, 4)))
KERNEL = RNG.normal(size=(3, 3, 3, 5)).astype(np.float32)


class Layer(NamedTuple):
    w: np.ndarray
    b: np.ndarray


def mlp(params, x):
    for w, b in params["layers"]:
        x = jnp.tanh(x @ w + b)
    return x * params["scale"]


PARAMS = {"layers": [Layer(W, B), Layer(W[::-1].copy(), B + 1)], "scale": np.float32(2.0)}


def rnn(p, x):
    step = lambda h, t: (jnp.tanh(h @ p["w"] + t),) * 2
    return lax.scan(step, jnp.zeros_like(x[:, 0]), jnp.swapaxes(x, 0, 1))[0]


def conv(p, x):
    """Its padding is one pair, of zero before and one after, along both axes."""
    return lax.conv_general_dilated(x, p["k"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


CASES = {
    "weights computed from others": (lambda p, x: x @ (p["w"] / jnp.linalg.norm(p["w"], axis=0)), {"w": W}, X),
    "a weight read twice": (lambda p, x: x @ (p["w"] + p["w"].T), {"w": W}, X),
    "a weight broadcast to the batch": (
        lambda p, x: jnp.concatenate([jnp.broadcast_to(jnp.tanh(p["b"]), (x.shape[0], 1, 6)), x], 1), {"b": B}, SEQUENCE
    ),
    "a product from the left": (lambda p, x: jax.vmap(lambda r: p["w"] @ r + p["b"])(x), {"w": W, "b": B}, X),
    "a table by data": (lambda p, i: jnp.tanh(p["t"])[i].sum(1), {"t": TABLE}, IDS),
    "a place in each row": (
        lambda p, x: jnp.take_along_axis(x @ p["w"], jnp.argsort(x, 1), 1), {"w": W}, X
    ),
    "places written to": (lambda p, x: (x @ p["w"]).at[:, 1:3].add(x[:, :2]), {"w": W}, X),
    "integers": (lambda p, i: p["t"][(i * 2 + 1) % 6 // 2], {"t": TABLE}, IDS),
    "a convolution": (conv, {"k": KERNEL}, IMAGE),
    "windows over the channels": (
        lambda p, x: lax.reduce_window(x * p["s"], -jnp.inf, lax.max, (1, 1, 1, 3), (1, 1, 1, 3), "VALID"),
        {"s": np.float32(0.7)}, IMAGE,
    ),
    "a matrix solved": (
        lambda p, x: jnp.linalg.solve(jnp.einsum("bti,bsi->bts", x, x) + 5 * jnp.eye(5), x @ p["w"]), {"w": W}, SEQUENCE
    ),
    "a Fourier transform": (lambda p, x: jnp.abs(jnp.fft.rfft(x @ p["w"])), {"w": W}, X),
    "a scan": (rnn, {"w": W}, SEQUENCE),
    "a loop of known turns": (
        lambda p, x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.tanh(c[1] @ p["w"])), (0, x))[1],
        {"w": W}, X,
    ),
    "a branch for each example": (
        lambda p, x: jax.vmap(lambda r: lax.cond(r.sum() > 0, jnp.tanh, jnp.sin, r))(x @ p["w"]), {"w": W}, X
    ),
    "quantiles": (lambda p, x: jnp.quantile(x @ p["w"], 0.3, axis=1), {"w": W}, X),
    "what is not a number": (lambda p, x: jnp.where(x @ p["w"] >= jnp.nan, 1.0, x), {"w": W}, X),
}  # fmt: skip


@pytest.mark.parametrize("level", ["step"])
def test_a_tree_of_layers(level):
    p = port.from_jax(mlp, PARAMS, X)
    assert p.verify(level).ok
    assert {r.view.source for r in p.weights} == {"layers/0/w", "layers/0/b", "layers/1/w", "layers/1/b", "scale"}
    assert "fc(6, tanh)" in str(p.net)


def test_weights_go_back_to_the_tree():
    p = port.from_jax(mlp, PARAMS, X)
    moved = jax.tree.map(lambda a: a + 0.1, p.params)
    back = p.to_jax_params(moved)
    assert jax.tree.structure(back) == jax.tree.structure(PARAMS)
    np.testing.assert_allclose(p.net.apply(moved, p.state, X)[0], mlp(back, X), rtol=1e-5)


@pytest.mark.slow
def test_a_saved_port_needs_the_tree(tmp_path):
    p = port.from_jax(mlp, PARAMS, X)
    p.save(tmp_path / "mlp")
    again = port.load(tmp_path / "mlp")
    back = again.to_jax_params(again.params, like=PARAMS)
    jax.tree.map(np.testing.assert_array_equal, back, PARAMS)
    with pytest.raises(ParamsError, match="like="):
        again.to_jax_params(again.params)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_equal(name):
    fn, params, x = CASES[name]
    try:
        assert port.from_jax(fn, params, x).verify("gradients").ok
    except PortError as e:
        assert "proves nothing" in str(e) and name == "what is not a number", e


@jax.custom_vjp
def straight_through(x):
    return jnp.round(x)


straight_through.defvjp(lambda x: (jnp.round(x), None), lambda _, g: (g,))


def test_a_derivative_of_its_own_is_refused():
    with pytest.raises(PortError, match=r"straight_through.*@compose\.register"):
        port.from_jax(lambda p, x: straight_through(x @ p["w"]), {"w": W}, X)


def test_a_sequence_of_another_length_than_the_loop_is_refused_when_it_runs():
    p = port.from_jax(rnn, {"w": W}, SEQUENCE)
    with pytest.raises(Exception, match="the only sizes"):
        p.net.apply(p.params, p.state, np.concatenate([SEQUENCE] * 2, 1))


def test_a_loop_on_data_is_refused_with_the_line():
    fn = lambda p, x: lax.while_loop(lambda h: h.sum() > 1, lambda h: h / 2, x @ p["w"])
    with pytest.raises(PortError, match=r"jax\.while .*test_lower\.py:"):
        port.from_jax(fn, {"w": W}, X)


def test_leaves_that_are_no_arrays_are_refused():
    with pytest.raises(PortError, match=r"got str at kind; keep what is none in the function"):
        port.from_jax(mlp, {**PARAMS, "kind": "mlp"}, X)


@pytest.mark.slow
def test_equinox():
    import equinox as eqx

    model = eqx.nn.MLP(6, 3, 5, 2, key=jax.random.key(0))
    params, rest = eqx.partition(model, eqx.is_array)
    p = port.from_jax(lambda params, x: jax.vmap(eqx.combine(params, rest))(x), params, X)
    assert p.verify("step").ok
    assert str(p.net).count("fc(") == 3 and "permute" not in str(p.net)
    assert "layers/0/weight" in {r.view.source for r in p.weights}


@pytest.mark.slow
def test_nnx_by_split():
    nnx = pytest.importorskip("flax.nnx")
    graph, params = nnx.split(nnx.Sequential(nnx.Linear(6, 4, rngs=nnx.Rngs(0)), nnx.relu))
    p = port.from_jax(lambda params, x: nnx.merge(graph, params)(x), params, X)
    assert p.verify("step").ok


def test_a_length_that_a_function_reads_is_fixed():
    fn = lambda p, x: jnp.pad(x @ p["w"], ((0, 0), (2, 1), (0, 0)), mode="reflect")
    ported = port.from_jax(fn, {"w": W}, SEQUENCE)
    assert str(ported.net).startswith("compose_seq(\n    ensure_shape(None, 5, None)")
    assert ported.verify("gradients").ok
    free = port.from_jax(lambda p, x: jax.nn.softmax(x @ p["w"], axis=1), {"w": W}, SEQUENCE)
    assert "ensure_shape" not in str(free.net)


def test_arrays_and_rows_that_nothing_reads():
    ported = port.from_jax(lambda p, x: x[:, :2] * p["b"][1:3], {"b": B, "rest": W}, X)
    assert ported.verify("step").ok
    assert {view.source for view in ported.graph.unread} == {"b", "rest"}
    assert ported.verify("steps", optimizer=optax.adamw(0.01, weight_decay=0.1)).ok  # which decays them


@pytest.mark.parametrize(
    ("fn", "taken"),
    [
        (lambda p, x: x @ p["w"][1:5][2:4].T, (3, 5)),
        (lambda p, x: x * p["w"].reshape(6, 3, 2)[2:4][1].reshape(6), (3, 4)),
        (lambda p, x: x * p["w"].reshape(36)[7:13], None),  # which lie in two rows
        (lambda p, x: x * p["w"][1:5].reshape(8, 3)[2:4].reshape(6), (1, 5)),
    ],
)
def test_rows_of_rows_and_of_weights_in_another_shape(fn, taken):
    ported = port.from_jax(fn, {"w": W}, X)
    assert ported.verify("step").ok
    assert [view.rows for op in ported.graph.ops for view in op.views()] == [taken]


@pytest.mark.parametrize(
    "fn",
    [
        lambda p, x: jax.image.resize(x @ p["w"], (x.shape[0], 9, 6), "cubic"),
        lambda p, x: jax.nn.dot_product_attention(*[(x @ p["w"]).reshape(*x.shape[:2], 2, 3)] * 3),
        lambda p, x: jnp.einsum("bti,bsj->btsij", x @ p["w"], x).sum((1, 4)),
    ],
)
def test_products_of_values_over_several_axes_for_any_batch(fn):
    assert port.from_jax(fn, {"w": W}, SEQUENCE).verify("gradients").ok


def test_elements_multiplied_in_place_are_refused():
    with pytest.raises(PortError, match="no gradient in JAX"):
        port.from_jax(lambda p, x: (x @ p["w"]).at[:, 1].multiply(x[:, 0]), {"w": W}, X)
