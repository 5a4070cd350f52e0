"""Step-by-step decoding of a causal network, with key-value caches."""

from __future__ import annotations

from compose.core.errors import ConfigError
from compose.core.layer import Layer

__all__ = ["decoding"]


def decoding(net: Layer, steps: int) -> Layer:
    """The same network with caches, for sequences of up to `steps` steps that arrive in parts.

    The parameters are unchanged. Causal attention, positions and transformer blocks keep their caches in the state:
    call `init` on one part, and pass each `apply` the state of the previous one. Beyond `steps`, the output is NaN.

    >>> from compose import compose_seq, decoding, embedding, encoder_block, learned_positions
    >>> gpt = compose_seq(embedding(100, 8), learned_positions(16), encoder_block(2, 32, causal=True))
    >>> decoding(gpt, 16)
    compose_seq(
        embedding(100, 8),
        learned_positions(16, cache=16),
        encoder_block(2, hidden=32, causal=True, cache=16),
    )

    Raises `ConfigError` for a network without causal attention.
    """
    causal = []

    def cached(path: str, layer: Layer) -> Layer:
        if not hasattr(layer, "cache") or not getattr(layer, "causal", True):
            return layer
        causal.append(hasattr(layer, "causal"))
        return layer.but(cache=steps)

    decoder = net.map(cached)
    if not any(causal):
        raise ConfigError("a network with causal attention: multi_head_attention(..., causal=True)", str(net))
    return decoder
