"""Integers into vectors, and products over named axes, of Keras."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.constant_folding import positions
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.core import activation
from compose.port.lowering.values import GraphValue


@rule("keras.layers.Embedding")
def _embedding(walk, layer, x):
    if not isinstance(x, GraphValue):
        return positions(walk, layer._embeddings, x)
    if layer.lora_enabled:
        return _adapted(walk, layer, x)
    return walk.emit(word("embedding")(layer.input_dim, layer.output_dim), x, weights={"embedding": layer._embeddings})


def _adapted(walk: Any, layer: Any, x: Any) -> Any:
    """A table with LoRA: that of Keras, which it does not train, and the product of two small ones."""
    table = word("embedding")(layer.input_dim, layer.output_dim)
    y = walk.emit(table, x, weights={"embedding": layer._embeddings})
    low = word("embedding")(layer.input_dim, layer.lora_rank)
    z = walk.emit(low, x, weights={"embedding": layer.lora_embeddings_a})
    z = walk.emit(word("fc")(layer.output_dim, bias=False), z, weights={"kernel": layer.lora_embeddings_b})
    by = layer.lora_alpha / layer.lora_rank
    return walk.emit(word("add"), y, z if by == 1 else walk.emit(word("scale")(by=by), z))


@rule("keras.layers.ReversibleEmbedding")
def _reversible(walk, layer, x, reverse=False):
    if layer.mask_zero or layer.logit_soft_cap is not None or layer.reverse_dtype is not None:
        raise PortError("a reversible embedding without mask_zero, logit_soft_cap and reverse_dtype")
    if not reverse:
        return _embedding(walk, layer, x)
    kernel = walk.take(layer._embeddings, axes=(1, 0)) if layer.tie_weights else layer.reverse_embeddings
    return walk.emit(word("fc")(layer.input_dim, bias=False), x, weights={"kernel": kernel})


@rule("keras.layers.CategoryEncoding")
def _category(walk, layer, x, count_weights=None):
    if count_weights is not None:
        raise PortError("counts without count_weights")
    return _encoded(walk, x, layer.output_mode, layer.num_tokens)


@rule("keras.layers.Discretization")
def _discretization(walk, layer, x):
    if not layer.bin_boundaries:
        raise PortError("a discretisation with its boundaries, adapted or given")
    bins = walk.emit(word("bucketize")(boundaries=tuple(map(float, layer.bin_boundaries))), x)
    return _encoded(walk, bins, layer.output_mode, len(layer.bin_boundaries) + 1)


def _encoded(walk: Any, x: Any, mode: str, size: int) -> Any:
    """Keras's output modes of integers; each row of ids makes one vector, but for one-hot."""
    given = walk.node.input_tensors[0].shape
    if mode == "int":
        return x
    if mode == "one_hot":
        x = walk.emit(word("squeeze")(axis=-1), x) if len(given) > 1 and given[-1] == 1 else x
        return walk.emit(word("one_hot")(size=size), x)
    if len(given) < 2:
        raise PortError(f'rows of ids for the output mode {mode!r}, got one id each; use "one_hot"')
    if mode == "multi_hot":
        return walk.emit(word("multi_hot")(size=size), x)
    return walk.emit(word("sum")(axis=-2), walk.emit(word("one_hot")(size=size), x))


@rule("keras.layers.EinsumDense")
def _einsum_dense(walk, layer, x):
    equation = layer.equation.replace(" ", "")
    bias = layer.bias_axes if layer.bias is not None else ""
    made = word("einsum")(equation, new_sizes(equation, layer.kernel.shape), activation(layer.activation), bias=bias)
    if layer.lora_enabled:
        raise PortError("an EinsumDense without LoRA; merge it into the kernel, or use Dense")
    takes: dict[str, Any] = {"kernel": layer.kernel}
    if layer.bias is not None:
        takes["bias"] = walk.take(layer.bias, shape=tuple(n for n in layer.bias.shape if n != 1) or (1,))
    return walk.emit(made, x, weights=takes)


def new_sizes(equation: str, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the kernel's letters that the input does not have."""
    left, _, rest = equation.partition(",")
    return tuple(n for c, n in zip(rest.partition("->")[0], kernel) if c not in left)


_TEXT = ("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing")


@rules(*(f"keras.layers.{name}" for name in _TEXT))
def _text(walk, layer, *inputs, **_):
    raise PortError(
        f"a model that starts after {type(layer).__name__}, which is kept in front of it: "
        f"from_keras(keras.Model({layer.name}.output, model.output)), with {layer.name} = "
        f"model.get_layer({layer.name!r})"
    )
