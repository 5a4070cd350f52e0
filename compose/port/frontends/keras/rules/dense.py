"""Linear maps, products of matrices, einsum, embeddings."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.keras.float64 import float64
from compose.port.frontends.keras.as_value import as_value, repeats
from compose.port.frontends.keras.constant_folding import positions
from compose.port.frontends.keras.lower import KerasLowering
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.elementwise import activation
from compose.port.ir.weights import Constant
from compose.port.lowering.values import GraphValue, Operand


def adapted(walk: Any, layer: Any, plain: Any, x: Any) -> Any:
    """A layer with LoRA: Keras trains its bias, `lora` freezes all that is inside, so the bias and activation follow.

    `plain` is the word of the layer, without bias and activation.
    """
    rank, alpha = layer.lora_rank, float(layer.lora_alpha)
    made = word("lora")(plain, rank, **({"alpha": alpha} if alpha != rank else {}))
    pair = {"lora/kernel/a": layer.lora_kernel_a, "lora/kernel/b": layer.lora_kernel_b}
    pair["lora/kernel/a"] = walk.view(layer.lora_kernel_a, shape=(-1, rank))
    y = walk.emit(made, x, weights={"kernel": layer._kernel, **pair})
    bias = layer.bias
    y = y if bias is None else walk.emit(word("learned_bias"), y, weights={"bias": bias})
    return walk.emit(activation(layer.activation), y)


@rule("keras.layers.Dense")
def _dense(walk, layer, x):
    if layer.lora_enabled:
        return adapted(walk, layer, word("fc")(layer.units, bias=False), x)
    made = word("fc")(layer.units, activation(layer.activation), bias=layer.use_bias)
    return walk.emit(made, x, weights={"kernel": layer.kernel, "bias": layer.bias})


@rule("keras.layers.Embedding")
def _embedding(walk, layer, x):
    if not isinstance(x, GraphValue):
        return positions(walk, layer._embeddings, x)
    if layer.quantization_mode is not None:
        return _quantised_embedding(walk, layer, x)
    if layer.lora_enabled:
        return _embedding_with_lora(walk, layer, x)
    return walk.emit(word("embedding")(layer.input_dim, layer.output_dim), x, weights={"embedding": layer._embeddings})


def _quantised_embedding(walk: Any, layer: Any, x: Any) -> Any:
    """A table of few bits as the floats that it stands for, which do not train."""
    if layer.lora_enabled:
        raise PortError(f"a table without LoRA, got {layer.name} quantised as {layer.quantization_mode}")
    with float64():
        table = keras.ops.convert_to_numpy(layer.quantized_call(keras.ops.arange(layer.input_dim, dtype="int32")))
    made = word("frozen")(word("embedding")(layer.input_dim, layer.output_dim))
    return walk.emit(made, x, weights={"embedding": Constant(array=np.asarray(table, np.float64))})


def _embedding_with_lora(walk: Any, layer: Any, x: Any) -> Any:
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
    if layer.mask_zero or layer.reverse_dtype is not None:
        raise PortError("a reversible embedding without mask_zero and reverse_dtype")
    if layer.quantization_mode is not None and reverse:
        raise PortError(f"logits in floating point, got those of {layer.name} quantised as {layer.quantization_mode}")
    if not reverse:
        return _embedding(walk, layer, x)
    kernel = walk.view(layer._embeddings, axes=(1, 0)) if layer.tie_weights else layer.reverse_embeddings
    y = walk.emit(word("fc")(layer.input_dim, bias=False), x, weights={"kernel": kernel})
    cap = layer.logit_soft_cap
    if cap is None:
        return y
    return walk.emit(word("scale")(by=float(cap)), walk.emit(word("tanh"), walk.emit(word("scale")(by=1 / cap), y)))


@rule("keras.layers.EinsumDense")
def _einsum_dense(walk, layer, x):
    equation = layer.equation.replace(" ", "")
    bias = layer.bias_axes if layer.bias is not None else ""
    made = word("einsum")(equation, new_sizes(equation, layer.kernel.shape), activation(layer.activation), bias=bias)
    if layer.lora_enabled:
        raise PortError("an EinsumDense without LoRA; merge it into the kernel, or use Dense")
    views: dict[str, Any] = {"kernel": layer.kernel}
    if layer.bias is not None:
        views["bias"] = walk.view(layer.bias, shape=tuple(n for n in layer.bias.shape if n != 1) or (1,))
    return walk.emit(made, x, weights=views)


def new_sizes(equation: str, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the kernel's axes that the input lacks."""
    left, _, rest = equation.partition(",")
    return tuple(n for c, n in zip(rest.partition("->")[0], kernel) if c not in left)


@rule("keras.layers.Dot")
def _dot(walk, layer, xs):
    axes = layer.axes if isinstance(layer.axes, int) else tuple(layer.axes)
    options = {"normalize": True} if layer.normalize else {}
    return walk.emit(word("dot")(axes=axes, **options), *xs)


@rules("keras.ops.Matmul", "keras.ops.Dot")
def _matmul(lowering: KerasLowering, op: Any, a: Operand, b: Operand) -> GraphValue:
    a, b = (as_value(lowering, x) if repeats(x) else x for x in (a, b))
    weight = lowering.weight(b)
    if isinstance(a, GraphValue) and weight is not None and len(weight.shape) == 2:
        return lowering.emit(word("fc")(weight.shape[1], bias=False), a, weights={"kernel": b})
    if type(op).__name__ == "Dot" or not (isinstance(a, GraphValue) and isinstance(b, GraphValue)):
        raise PortError("the matrix product of two values, or of a value and a weight after it")
    return lowering.emit(word("matmul"), a, b)


@rule("keras.ops.Einsum")
def _einsum(walk, op, *operands):
    equation = op.subscripts.replace(" ", "")
    if "->" not in equation:
        raise PortError(f"an einsum that says what it makes, as 'ij,jk->ik', got {equation!r}")
    if len(operands) == 2 and isinstance(operands[0], GraphValue) and isinstance(operands[1], keras.Variable):
        kernel = operands[1]
        made = word("einsum")(equation, new_sizes(equation, kernel.shape))
        return walk.emit(made, operands[0], weights={"kernel": kernel})
    if len(operands) != 2:
        return walk.emit(word("contract")(equation=equation), *(as_value(walk, x) for x in operands))
    a, b = (as_value(walk, x) for x in operands)
    left, right, out = equation.replace("->", ",").split(",")
    same = [c for c in left if c in right and c in out]
    rows, sums, columns = (
        [c for c in left if c not in right],
        [c for c in left if c in right and c not in out],
        [c for c in right if c not in left],
    )
    repeated = any(len({*term}) < len(term) for term in (left, right))
    if any(len(group) != 1 for group in (rows, sums, columns)) or "." in equation or repeated:
        return walk.emit(word("contract")(equation=equation), a, b)
    a = _ordered(walk, a, left, [*same, *rows, *sums])
    b = _ordered(walk, b, right, [*same, *sums, *columns])
    return _ordered(walk, walk.emit(word("matmul"), a, b), [*same, *rows, *columns], list(out))


def _ordered(walk: Any, x: GraphValue, given: Any, wanted: list[str]) -> GraphValue:
    """A value with its axes permuted to another order of letters."""
    given = list(given)
    return x if given == wanted else walk.emit(word("permute")(*(given.index(c) for c in wanted)), x)
