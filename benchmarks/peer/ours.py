"""compose: `net.fit`."""

from __future__ import annotations

from compose import (
    Layer,
    batch_norm,
    compose_seq,
    conv,
    depthwise_conv,
    embedding,
    fc,
    flatten,
    gelu,
    global_avg_pool,
    gru,
    layer_norm,
    lstm,
    max_pool,
    multi_head_attention,
    relu,
    repeat,
    residual,
    sigmoid,
)
from peer.work import BLOCKS, VOCABULARY, data


def network(work: str) -> Layer:
    if work == "mlp":
        return compose_seq(fc(250, relu), fc(100, relu), fc(10))
    if work == "autoencoder":
        return compose_seq(fc(250, relu), fc(50, relu), fc(250, relu), fc(784, sigmoid))
    if work == "cnn":
        block = lambda n: compose_seq(conv(n, 3), batch_norm(), relu, max_pool(2))
        return compose_seq(block(32), block(64), flatten, fc(10))
    if work == "mobile":
        block = lambda n, stride: compose_seq(
            conv(n, 1), batch_norm(), relu, depthwise_conv(3, stride=stride), batch_norm(), relu, conv(n, 1),
            batch_norm(),
        )  # fmt: skip
        stem = compose_seq(conv(16, 3, stride=2), batch_norm(), relu)
        return compose_seq(stem, *(block(*b) for b in BLOCKS), global_avg_pool, fc(10))
    if work == "lm":
        attention = residual(compose_seq(layer_norm(), multi_head_attention(4, causal=True)))
        block = compose_seq(attention, residual(compose_seq(layer_norm(), fc(512, gelu), fc(128))))
        return compose_seq(embedding(VOCABULARY, 128), repeat(4, block), layer_norm(), fc(VOCABULARY))
    return compose_seq((lstm if work == "lstm" else gru)(128, output="last"), fc(10))


def epoch(work: str):
    x, y, size = data(work)
    loss = "mse" if work == "autoencoder" else "cross_entropy"
    held = [None]

    def run():
        held[0] = network(work).fit(
            x, y, loss=loss, optimizer="adam", learning_rate=1e-3, batch_size=size, epochs=1, verbose=False,
            start=held[0],
        )  # fmt: skip

    return run
