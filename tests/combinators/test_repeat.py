"""repeat against the same blocks written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    batch_norm,
    compose_seq,
    dropout,
    fc,
    graph,
    layer_norm,
    parallel,
    repeat,
    residual,
    share,
    spec,
    stack,
    tanh,
    unstack,
)
from compose.core.errors import ConfigError, ShapeError
from compose.core.platform import tracing_for

block = residual(compose_seq(layer_norm(), fc(8, tanh), fc(6)))
N = 4


def both(inner, x):
    """A repeat and the written-out network, with the same parameters."""
    params, state = repeat(N, inner).init(1, x)
    shift = lambda tree: jax.tree.map(lambda a: a + 0.1 * jnp.arange(a.size).reshape(a.shape) / a.size, tree)
    params, state = shift(params), shift(state)
    written = compose_seq(*[inner] * N)
    keys = written.keys
    split = lambda tree: dict(zip(keys, unstack(tree))) if tree else {}
    return repeat(N, inner), (params, state), written, (split(params), split(state))


def close(a, b, **tolerance):
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, **tolerance), a, b)


@pytest.mark.parametrize("options", [{}, {"remat": True}, {"unroll": 2}, {"remat": True, "unroll": 4}], ids=str)
def test_output_and_gradients_are_those_of_the_written_out_form(options, x64, rng):
    x = jnp.asarray(rng.normal(size=(5, 6)))
    net, (params, _), written, (split, _) = both(block, x)
    net = net.but(**options)
    cotangent = jnp.asarray(rng.normal(size=(5, 6)))

    def loss(network):
        return lambda p, x: (network.apply(p, {}, x)[0] * cotangent).sum()

    (a, (dp, dx)), (b, (dq, dy)) = (
        jax.value_and_grad(loss(n), argnums=(0, 1))(p, x) for n, p in ((net, params), (written, split))
    )
    close((a, dx), (b, dy), rtol=1e-12)
    close(dp, stack(list(dq.values())), rtol=1e-10, atol=1e-12)


def test_state_moves_in_every_block(x64, rng):
    x = jnp.asarray(rng.normal(size=(5, 6)))
    net, weights, written, split = both(compose_seq(fc(6, tanh), batch_norm(momentum=0.5)), x)
    y, after = net.apply(*weights, x, train=True)
    z, expected = written.apply(*split, x, train=True)
    close(y, z, rtol=1e-12)
    close(after, stack(list(expected.values())), rtol=1e-12)
    assert not np.allclose(after["batch_norm_0"]["mean"][0], after["batch_norm_0"]["mean"][1])


def test_a_block_that_is_one_layer():
    params, _ = repeat(3, fc(6, tanh)).init(0, 6)
    assert jax.tree.map(jnp.shape, params) == {"kernel": (3, 6, 6), "bias": (3, 6)}
    x = jnp.ones((2, 6))
    expected = x
    for p in unstack(params):
        expected = jnp.tanh(expected @ p["kernel"] + p["bias"])
    np.testing.assert_allclose(repeat(3, fc(6, tanh)).apply(params, {}, x)[0], expected, rtol=1e-6)


def test_repeats_nest():
    net = repeat(2, repeat(3, compose_seq(fc(4), batch_norm())))
    params, state = net.init(0, 4)
    assert params["fc_0"]["kernel"].shape == (2, 3, 4, 4)
    assert state["batch_norm_0"]["mean"].shape == (2, 3, 4)
    assert net.apply(params, state, jnp.ones((5, 4)), train=True)[0].shape == (5, 4)


def test_several_values_go_round():
    net = repeat(3, parallel(fc(4), fc(2, tanh)))
    params, _ = net.init(0, 4, 2)
    a, b = net.apply(params, {}, jnp.ones((5, 4)), jnp.ones((5, 2)))[0]
    assert a.shape == (5, 4) and b.shape == (5, 2)


def test_sharing_inside_and_around():
    inside = repeat(3, share(fc(4), lambda e: compose_seq(e, tanh, e)))
    assert inside.init(0, 4)[0]["fc_0"]["kernel"].shape == (3, 4, 4)
    around = share(fc(4), lambda e: repeat(3, compose_seq(e, fc(4, tanh))))
    params, _ = around.init(0, 4)
    assert params["fc_0"]["kernel"].shape == (4, 4)
    x = jnp.ones((2, 4))
    expected = x
    for p in unstack(params["repeat_0"]["fc_0"]):
        e = params["fc_0"]
        expected = jnp.tanh((expected @ e["kernel"] + e["bias"]) @ p["kernel"] + p["bias"])
    np.testing.assert_allclose(around.apply(params, {}, x)[0], expected, rtol=1e-5)


def test_every_block_starts_with_the_fans_of_one():
    params, _ = repeat(50, fc(100)).init(0, 100)
    limit = np.sqrt(6 / 200)
    assert 0.99 * limit < np.abs(params["kernel"]).max() <= limit


def test_the_program_does_not_grow_with_the_count():
    size = lambda n: len(str(jax.make_jaxpr(lambda p, x: repeat(n, block).apply(p, {}, x)[0])(*_args(n))))
    assert abs(size(48) - size(4)) < 100


def test_remat_computes_the_inside_again():
    for remat, expected in ((True, True), (False, False)):
        net = repeat(3, block, remat=remat)
        text = str(jax.make_jaxpr(jax.grad(lambda p, x, net=net: net.apply(p, {}, x)[0].sum()))(*_args(3)))
        assert ("remat" in text or "checkpoint" in text) is expected


def test_a_repeat_that_draws_nothing_folds_no_key():
    program = jax.make_jaxpr(lambda k, p, x: repeat(3, block).apply(p, {}, x, rng=k, train=True)[0])
    assert "random" not in str(program(jax.random.key(0), *_args(3)))
    noisy = repeat(3, compose_seq(block, dropout(0.5)))
    params, _ = noisy.init(0, 6)
    program = jax.make_jaxpr(lambda k, p, x: noisy.apply(p, {}, x, rng=k, train=True)[0])
    assert "random_fold_in" in str(program(jax.random.key(0), params, jnp.ones((2, 6))))


def test_stack_and_unstack_are_inverse():
    trees = [fc(3).init(i, 4)[0] for i in range(3)]
    close(unstack(stack(trees)), trees)
    with pytest.raises(ConfigError, match="one common leading axis"):
        unstack({"a": jnp.ones((2, 3)), "b": jnp.ones((3, 3))})


def _args(n):
    params, _ = jax.eval_shape(lambda key: repeat(n, block).init(key, 6), jax.random.key(0))
    return params, spec(6)


def test_inputs_that_every_block_reads(x64, rng):
    """Beside one value that goes from block to block, and beside two; in a scan they are constants."""
    x, h, c = (jnp.asarray(rng.normal(size=(5, 6))) for _ in range(3))
    one = graph(lambda x, c: fc(6, tanh)(x) * c + x)
    two = graph(lambda x, h, c: (fc(6, tanh)(h) * c, x + h))
    for inner, inputs in ((one, (x, c)), (two, (x, h, c))):
        net = repeat(N, inner)
        params, _ = net.init(0, *inputs)
        y, expected = inputs, inputs
        for p in unstack(params):
            made, _ = inner.apply(p, {}, *expected)
            made = made if isinstance(made, tuple) else (made,)
            expected = (*made, *expected[len(made) :])
        y, _ = net.apply(params, {}, *inputs)
        close(y if isinstance(y, tuple) else (y,), expected[: len(inputs) - 1], rtol=1e-12)
        scan = next(e for e in jax.make_jaxpr(net.apply)(params, {}, *inputs).eqns if e.primitive.name == "scan")
        assert len(scan.outvars) == len(inputs) - 1  # what every block reads is no carry
    assert next(iter(net.intermediates(params, {}, *inputs))) == "0/fc_0"


def test_gradients_of_what_every_block_reads(x64, rng):
    x, c = (jnp.asarray(rng.normal(size=(5, 6))) for _ in range(2))
    block = graph(lambda x, c: fc(6, tanh)(x) * c)
    for options in ({}, {"remat": True}):
        net = repeat(N, block, **options)
        params, _ = net.init(0, x, c)

        def written(params, c):
            y = x
            for p in unstack(params):
                y, _ = block.apply(p, {}, y, c)
            return jnp.sum(jnp.sin(y))

        loss = lambda p, c, net=net: jnp.sum(jnp.sin(net.apply(p, {}, x, c)[0]))
        found = jax.grad(loss, argnums=(0, 1))(params, c)
        close(found, jax.grad(written, argnums=(0, 1))(params, c), rtol=1e-10, atol=1e-13)


def test_outputs_that_are_not_the_first_inputs_are_refused():
    with pytest.raises(ShapeError, match=r"the first of its inputs, got input \(\(1, 2, 6\), \(1, 2, 5\)\)"):
        repeat(3, graph(lambda x, c: fc(5)(x) + c)).init(0, spec(2, 6), spec(2, 5))


def loops(times: int, **options) -> int:
    net = repeat(times, block, **options)
    params, state = net.init(0, jnp.ones((2, 6)))
    text = jax.jit(lambda x: net.apply(params, state, x)[0]).lower(jnp.ones((2, 6))).as_text()
    return text.count("stablehlo.while")


def test_a_few_blocks_are_written_out_on_cpus_and_nowhere_else():
    assert [loops(8), loops(9), loops(8, unroll=1)] == [0, 1, 1]
    with tracing_for(["cuda"]):
        assert loops(8) == 1


def test_remat_saves_memory_however_few_the_blocks():
    wide = residual(compose_seq(fc(64, tanh), fc(6)))
    x = jnp.ones((512, 6))

    def memory(**options) -> int:
        net = repeat(4, wide, **options)
        params, state = net.init(0, x)
        gradient = jax.grad(lambda p: jnp.sum(net.apply(p, state, x)[0] ** 2))
        return jax.jit(gradient).lower(params).compile().memory_analysis().temp_size_in_bytes

    assert memory(remat=True) < 0.6 * memory()
