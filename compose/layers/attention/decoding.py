"""One step at a time: a causal network whose layers remember the steps before."""

from __future__ import annotations

from compose.core.errors import ConfigError
from compose.core.layer import Layer

__all__ = ["decoding"]


def decoding(net: Layer, steps: int) -> Layer:
    """The same network on the same parameters, for sequences of up to `steps` steps that come a part at a time.

    Causal attention, positions and transformer blocks keep what they need in the state; `init` it on a part, and give
    each `apply` the state of the one before. Beyond `steps` the output is NaN.

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
    found = []

    def remember(path: str, layer: Layer) -> Layer:
        if not hasattr(layer, "cache") or not getattr(layer, "causal", True):
            return layer
        found.append(hasattr(layer, "causal"))
        return layer.but(cache=steps)

    made = net.map(remember)
    if not any(found):
        raise ConfigError("a network with causal attention: multi_head_attention(..., causal=True)", str(net))
    return made
