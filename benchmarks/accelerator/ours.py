"""compose: by `fit`, and by a step written by hand around `net.apply`."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import optax

from accelerator.work import STEPS, Size, data, sized
from compose import (
    Layer,
    batch_norm,
    compose_seq,
    conv,
    embedding,
    fc,
    gelu,
    global_avg_pool,
    identity,
    layer_norm,
    learned_positions,
    max_pool,
    multi_head_attention,
    relu,
    repeat,
    residual,
)

RATE = 1e-4


def language_model(size: Size, written_out: bool = False) -> Layer:
    attention = residual(compose_seq(layer_norm(), multi_head_attention(size.heads, causal=True)))
    mixing = residual(compose_seq(layer_norm(), fc(4 * size.width, gelu), fc(size.width)))
    block = compose_seq(attention, mixing)
    blocks = compose_seq(*[block] * size.depth) if written_out else repeat(size.depth, block)
    return compose_seq(
        embedding(size.vocabulary, size.width), learned_positions(size.length), blocks, layer_norm(),
        fc(size.vocabulary, bias=False),
    )  # fmt: skip


def resnet(size: Size, written_out: bool = True) -> Layer:
    """ResNet-50 (He et al., 2015), with the stride in the 3 × 3 convolution."""

    def bottleneck(width: int, stride: int, first: bool) -> Layer:
        norm = lambda n, kernel, stride=1: compose_seq(conv(n, kernel, stride=stride, bias=False), batch_norm())
        body = compose_seq(norm(width, 1), relu, norm(width, 3, stride), relu, norm(4 * width, 1))
        return compose_seq(residual(body, norm(4 * width, 1, stride) if first else identity), relu)

    stages = [
        bottleneck(64 * 2**stage, 2 if stage and not i else 1, not i)
        for stage, count in enumerate(size.blocks)
        for i in range(count)
    ]
    stem = compose_seq(conv(64, 7, stride=2, bias=False), batch_norm(), relu, max_pool(3, stride=2, padding="same"))
    return compose_seq(stem, *stages, global_avg_pool, fc(1000))


NETWORKS = {"lm": language_model, "resnet50": resnet}


def measure(work: str, precision: str, peer: str, tiny: bool) -> dict[str, Any]:
    size = sized(work, tiny)
    net, (x, y) = NETWORKS[work](size), data(work, size)
    policy = None if precision == "float32" else precision
    run = by_fit if peer == "fit" else by_step
    device = jax.devices()[0]
    result = run(net, x, y, size, policy) | {"device": f"{device.device_kind}, JAX {jax.__version__}"}
    if peer != "step":
        return result
    flops = counted(NETWORKS[work](size, written_out=True), x[: size.batch])
    return result | {"flops": flops, "peak": peak(precision, 512 if tiny else 8192)}


def by_fit(net: Layer, x, y, size: Size, precision: str | None) -> dict[str, Any]:
    trained = net.fit(
        x, y, loss="cross_entropy", optimizer=optax.adam(RATE), batch_size=size.batch, epochs=3, precision=precision,
        verbose=False,
    )  # fmt: skip
    return {"ms": min(row["seconds"] for row in trained.history[1:]) / STEPS * 1e3}


def by_step(net: Layer, x, y, size: Size, precision: str | None) -> dict[str, Any]:
    optimizer = optax.adam(RATE)
    params, state = net.init(0, jnp.asarray(x[:1]))
    opt_state = optimizer.init(params)

    def step(params, state, opt_state, x, y):
        def objective(params):
            logits, after = net.apply(params, state, x, train=True, precision=precision)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), after

        grads, state = jax.grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), state, opt_state

    first = jnp.asarray(x[: size.batch]), jnp.asarray(y[: size.batch])
    carry = params, state, opt_state
    run = jax.jit(step, donate_argnums=(0, 1, 2))
    carry = jax.block_until_ready(run(*carry, *first))
    began = time.perf_counter()
    for _ in range(STEPS):
        carry = run(*carry, *first)
    jax.block_until_ready(carry)
    return {"ms": (time.perf_counter() - began) / STEPS * 1e3}


def counted(net: Layer, x) -> float:
    """FLOPs of the forward pass and the gradient, as XLA counts them: in a loop, only its body once."""
    params, state = jax.eval_shape(lambda x: net.init(0, x), x)
    loss = lambda params, state, x: net.apply(params, state, x, rng=0, train=True)[0].sum()
    lowered = jax.jit(jax.grad(loss)).trace(params, state, x).lower(lowering_platforms=("cpu",))
    cost: Any = lowered.cost_analysis()
    return cost["flops"]


def peak(precision: str, n: int) -> float:
    """FLOPs a second of a product of two matrices of `n × n`."""
    a = jnp.ones((n, n), precision)
    run = jax.jit(lambda a: a @ a)
    jax.block_until_ready(run(a))
    began = time.perf_counter()
    for _ in range(10):
        b = run(a)
    jax.block_until_ready(b)
    return 10 * 2 * n**3 / (time.perf_counter() - began)
