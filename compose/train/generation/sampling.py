"""How the next token is picked from logits."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from compose.core.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """Greedy for a temperature of 0; otherwise drawn, from the `top_k` tokens and those of probability `top_p`.

    As in Hugging Face's `generate`: the temperature divides the logits, then the largest k are kept, and then as few of
    the most likely as have a probability of at least p together.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self):
        if not self.temperature >= 0:
            raise ConfigError("a temperature of at least 0", repr(self.temperature))
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError("top_k of at least 1", repr(self.top_k))
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError("top_p above 0 and at most 1", repr(self.top_p))

    def pick(self, logits, key):
        """The next token of each example, for logits `(batch, vocabulary)`."""
        if self.temperature == 0:
            return jnp.argmax(logits, -1).astype(jnp.int32)
        return jax.random.categorical(key, self.kept(logits)).astype(jnp.int32)

    def kept(self, logits):
        """The logits of what may be drawn, and minus infinity."""
        logits = logits / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = lax.top_k(logits, self.top_k)[0][:, -1:]
            logits = jnp.where(logits < least, -jnp.inf, logits)
        if self.top_p is not None and self.top_p < 1:
            order = jnp.argsort(logits, -1, descending=True)
            likely = jax.nn.softmax(jnp.take_along_axis(logits, order, -1), -1)
            before = jnp.cumsum(likely, -1) - likely
            inside = jnp.put_along_axis(jnp.zeros(logits.shape, bool), order, before < self.top_p, -1, inplace=False)
            logits = jnp.where(inside, logits, -jnp.inf)
        return logits
