"""Transformer blocks: attention and an MLP, each with a norm and a residual connection."""

from __future__ import annotations

import dataclasses
from typing import Any

from compose.combinators.branch import branch
from compose.combinators.graph import graph
from compose.combinators.repeat import repeat
from compose.combinators.seq import compose_seq
from compose.core.combinator import Composite
from compose.core.editing import named
from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, layer, unlisted
from compose.layers.activation.basic import relu
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.dense import fc
from compose.layers.dropout import dropout as drop
from compose.layers.norm.batch import layer_norm
from compose.layers.take import at

__all__ = ["decoder_block", "encoder_block", "transformer", "transformer_block"]


@layer
class transformer_block(Composite):
    """A transformer block with any attention and any MLP.

    `h = x + attention(norm(x)); y = h + mlp(norm(h))`, or with `pre_norm=False`:
    `h = norm(x + attention(x)); y = norm(h + mlp(h))`.
    A Llama block is `transformer_block(multi_head_attention(32, kv_heads=8, causal=True, rotary=rotary, bias=False,
    out_bias=False), compose_seq(fc(n, silu, bias=False) * fc(n, bias=False), fc(4096, bias=False)), rms_norm)`.

    Shapes: unchanged. Parameters: under `attention`, `attention_norm`, `mlp`, `mlp_norm`.

    Args:
        attention, mlp: layers whose output has the shape of their input.
        norm: the norm layer, used twice with separate parameters.
        pre_norm: whether the norms come before attention and MLP, or after the sums.
        dropout: the dropout rate of the outputs of attention and MLP.
    """

    attention: Layer
    mlp: Layer
    norm: Layer = layer_norm()
    pre_norm: bool = True
    dropout: float = 0.0

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0

    def expand(self, x):
        return graph(lambda x: self._around("mlp", self._around("attention", x)))

    def _around(self, name: str, x):
        return around(named(name, getattr(self, name)), self.norm, self.pre_norm, self.dropout, x)


@unlisted
class Block(Composite):
    """The fields of the original transformer's blocks, as in torch.

    Args:
        heads: the number of attention heads; it divides the features.
        hidden: the hidden features of the MLP.
        activation: the activation of the MLP.
        dropout: the dropout rate of the outputs of attention, activation and MLP.
        attention_dropout: the dropout rate of the attention weights; None for the same rate.
        pre_norm: whether the norms come before attention and MLP, or after the sums.
        norm: the norm layer.
        bias: whether the projections have biases.
        cache: for decoding step by step, see `decoding`.
    """

    heads: int
    hidden: int = 2048
    activation: Layer = relu
    dropout: float = 0.1
    attention_dropout: float | None = None
    pre_norm: bool = False
    norm: Layer = layer_norm()
    bias: bool = True
    causal: bool = False
    cache: int | None = None

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0 or (self.attention_dropout or 0) > 0

    def validate(self):
        if self.heads < 1 or self.hidden < 1:
            raise ConfigError("at least one head and one hidden feature", f"{self.heads}, {self.hidden}")

    def attention(self, name: str, causal: bool = False) -> Layer:
        rate = self.dropout if self.attention_dropout is None else self.attention_dropout
        return multi_head_attention(
            self.heads, causal=causal, dropout=rate, bias=self.bias, out_bias=self.bias,
            cache=self.cache if causal else None, name=name,
        )  # fmt: skip

    def mlp(self, size: int) -> Layer:
        inner = (fc(self.hidden, self.activation, bias=self.bias), *_drops(self.dropout), fc(size, bias=self.bias))
        return compose_seq(*inner, name="mlp")

    def around(self, inner: Layer, x, *more):
        return around(inner, self.norm, self.pre_norm, self.dropout, x, *more)


@layer
class encoder_block(Block):
    """Self-attention and an MLP (Vaswani et al., Attention Is All You Need, 2017).

    Shapes: `(batch, time, n)`, unchanged. Padding is given by `apply(..., mask=)`, or by a mask or lengths as a second
    input. Parameters: under `attention`, `attention_norm`, `mlp` (`fc_0`, `fc_1`), `mlp_norm`. A stack of blocks is
    `repeat(12, encoder_block(8))`, with a mask as in `decoder_block`.
    Elsewhere: torch `TransformerEncoderLayer` with these defaults and `batch_first=True`; ViT's and GPT-2's blocks are
    `encoder_block(12, 3072, gelu, pre_norm=True)`, GPT-2's with `causal=True` and `gelu(approximate=True)`; BERT's is
    `encoder_block(12, 3072, gelu, norm=layer_norm(epsilon=1e-12))`.

    >>> from compose import encoder_block
    >>> encoder_block(8, 256).out((10, 64))
    (10, 64)
    """

    def expand(self, x):
        masked = isinstance(x, tuple)
        if masked and len(x) != 2:
            raise ShapeError("x or (x, mask)", shape_text(x))
        attention, mlp = self.attention("attention", self.causal), self.mlp((x[0] if masked else x).shape[-1])
        block = lambda x, *mask: self.around(mlp, self.around(attention, x, *mask))
        return graph((lambda x, mask: block(x, mask)) if masked else lambda x: block(x))


@layer
class decoder_block(Block):
    """Causal self-attention, attention to a memory, and an MLP (Vaswani et al., 2017).

    Shapes: `(x (batch, time, n), memory (batch, steps, m)) -> (batch, time, n)`; a mask or lengths of the memory may
    come third. Parameters: under `attention`, `cross_attention`, `mlp` and the same with `_norm`. A stack of blocks is
    `repeat(6, branch(decoder_block(8), at("1"))) >> at("0")`.
    Elsewhere: torch `TransformerDecoderLayer` with these defaults and `batch_first=True`, causal only with `tgt_mask`.
    """

    causal: bool = True

    def expand(self, x):
        if not isinstance(x, tuple) or len(x) not in (2, 3):
            raise ShapeError("(x, memory) or (x, memory, mask of the memory)", shape_text(x))
        own, cross = self.attention("attention", self.causal), self.attention("cross_attention")
        mlp = self.mlp(x[0].shape[-1])

        def block(x, *memory):
            return self.around(mlp, self.around(cross, self.around(own, x), *memory))

        return graph((lambda x, memory: block(x, memory)) if len(x) == 2 else lambda x, m, mask: block(x, m, mask))


@layer
class transformer(Block):
    """Encoder and decoder stacks, each followed by a norm (Vaswani et al., 2017).

    Shapes: `(source (batch, steps, n), target (batch, time, n)) -> (batch, time, n)`; a mask or lengths of the source
    may come third. Parameters: `encoder/repeat_0/...`, `encoder/layer_norm_0`, and the same under `decoder`.
    Elsewhere: torch `Transformer` with these defaults and `batch_first=True`, causal only with `tgt_mask`.

    Args:
        depth, decoder_depth: the number of encoder and decoder blocks.
    """

    causal: bool = True
    depth: int = 6
    decoder_depth: int = 6

    def expand(self, x):
        if not isinstance(x, tuple) or len(x) not in (2, 3):
            raise ShapeError("(source, target) or (source, target, mask of the source)", shape_text(x))
        shared = {f.name: getattr(self, f.name) for f in dataclasses.fields(Block) if f.name != "name"}
        encode = encoder_block(**{**shared, "causal": False, "cache": None})
        decode = decoder_block(**shared)
        masks = tuple(at(str(i)) for i in range(1, len(x) - 1))
        encoder = repeated(self.depth, encode, *masks, norm=self.norm, name="encoder")
        kept = at("1"), *(at("2") for _ in masks)
        decoder = repeated(self.decoder_depth, decode, *kept, norm=self.norm, name="decoder")
        if len(x) == 2:
            return graph(lambda source, target: decoder(target, encoder(source)))
        return graph(lambda source, target, mask: decoder(target, encoder(source, mask), mask))


def repeated(times: int, block: Layer, *kept: Layer, norm: Layer, name: str) -> Layer:
    """A stack of blocks that all read the inputs picked by `kept`, followed by a norm."""
    if not kept:
        return compose_seq(repeat(times, block), norm, name=name)
    return compose_seq(repeat(times, branch(block, *kept)), at("0"), norm, name=name)


def around(inner: Layer, norm: Layer, pre_norm: bool, rate: float, x: Any, *more: Any) -> Any:
    """A residual step of a graph: `x + inner(norm(x))` or `norm(x + inner(x))`."""
    norm = named(f"{inner.key_name}_norm", norm)
    y = inner(norm(x) if pre_norm else x, *more)
    for noise in _drops(rate):
        y = noise(y)
    return x + y if pre_norm else norm(x + y)


def _drops(rate: float) -> tuple[Layer, ...]:
    return (drop(rate),) if rate else ()
