"""Gating: squeeze-and-excite for channels, mixture of experts for layers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from compose.combinators.graph import graph
from compose.combinators.repeat import stacked_params
from compose.core.combinator import Composite
from compose.core.context import Context
from compose.core.errors import ConfigError, ShapeError, expect_rank, shape_text
from compose.core.layer import Layer, layer
from compose.core.plan import Plan, draws, plan
from compose.core.precision import narrow, wide
from compose.layers.activation.basic import relu, sigmoid
from compose.layers.dense import fc
from compose.layers.pool.global_pool import global_avg_pool

__all__ = ["mixture", "squeeze_excite"]


@layer
class squeeze_excite(Composite):
    """Weights channels by a small network on their spatial means (Hu et al., 2017).

    Equivalent to `graph(lambda x: x * fc(channels, gate)(fc(size, activation)(global_avg_pool(x))))`.
    Shapes: `(batch, *space, channels)`, unchanged.

    Args:
        ratio: the hidden size is the number of channels divided by this.
        size: the hidden size, instead of `ratio`.
    """

    ratio: int = 16
    size: int | None = None
    activation: Layer = relu
    gate: Layer = sigmoid

    draws = False  # it uses no randomness itself; its activations may

    def validate(self):
        if self.ratio < 1 or (self.size is not None and self.size < 1):
            raise ConfigError("a ratio and a size of at least 1", f"{self.ratio}, {self.size}")

    def expand(self, x):
        expect_rank(x, range(3, 99), "(batch, *space, channels)")
        hidden = max(x.shape[-1] // self.ratio, 1) if self.size is None else self.size
        squeeze = fc(hidden, self.activation, name="squeeze")
        excite = fc(x.shape[-1], self.gate, name="excite")
        pool = global_avg_pool(keepdims=True)
        return graph(lambda x: x * excite(squeeze(pool(x))))


@layer
class mixture(Layer):
    """`sum(weight[i] * expert[i](x))`, with weights `softmax(x @ gate)` for each token (Jacobs et al., 1991).

    With `top=k`, only the k largest logits of a token get weight (Shazeer et al., 2017), with a softmax over those k,
    as in Mixtral. Every expert computes every token, so no token is dropped and shapes are static.

    Shapes: `(..., n) -> (..., m)`; parameters `gate/kernel (n, experts)`, and under `expert` those of one expert with
    a leading axis of length `experts`.

    >>> from compose import fc, mixture, relu
    >>> mixture(8, fc(64, relu) >> fc(16), top=2).out(16)
    (16,)
    """

    experts: int
    expert: Layer
    top: int | None = None

    def validate(self):
        if self.experts < 1 or not 1 <= (self.top or 1) <= self.experts:
            raise ConfigError("at least one expert and top from 1 to their number", f"{self.experts}, top={self.top}")

    @property
    def gate(self) -> Layer:
        return fc(self.experts, bias=False)

    def plan(self, x, scope: tuple = ()) -> Plan:
        expect_rank(x, range(1, 99), "(..., features)")
        gate, one = plan(self.gate, x), plan(self.expert, x, scope)
        if getattr(one.out, "shape", (None,))[:-1] != x.shape[:-1]:
            raise ShapeError("an expert whose output has the input's leading axes", shape_text(one.out)).locate(self)
        params = {"gate": gate.params, "expert": stacked_params(one.params, self.experts)}
        state = {"expert": stacked_params(one.state, self.experts)} if one.state else {}
        return Plan(self, x, one.out, params, state, (("gate", gate), ("expert", one)))

    def call(self, params, state, x, ctx: Context):
        fold = ctx.key is not None and draws(self.expert)

        def run(p, s, i):
            key = jax.random.fold_in(ctx.key, i) if fold else ctx.key
            inner = ctx.looping(key=key)
            return inner.call("expert", self.expert, {"expert": p}, {"expert": s}, x)

        turns = (params["expert"], state.get("expert", {}), jnp.arange(self.experts) if fold else None)
        ys, after = jax.vmap(run, in_axes=(0, 0, 0 if fold else None), axis_size=self.experts)(*turns)
        logits = x @ params["gate"]["kernel"]
        weights = narrow(self.weights(wide(logits)), logits)
        return jnp.einsum("...e,e...m->...m", weights, ys), {"expert": after} if after else state

    def weights(self, logits):
        """The weight of each expert for each token; they sum to 1."""
        if self.top is None:
            return jax.nn.softmax(logits)
        largest, at = lax.top_k(logits, self.top)
        spread = jax.nn.one_hot(at, self.experts, dtype=logits.dtype)
        return jnp.einsum("...k,...ke->...e", jax.nn.softmax(largest), spread)
