"""Fully connected layers, products of matrices and embeddings."""

from __future__ import annotations

import numpy as np

from compose.export.onnx.registry import writes
from compose.layers.dense import fc
from compose.layers.embedding import embedding
from compose.layers.join import contract, matmul


@writes(fc)
def dense(writer, layer, p, s, x):
    shape = (*x.shape[:-1], layer.size)
    if x.ndim == 2 and layer.bias:
        y = writer.node("Gemm", x, p["kernel"], p["bias"], shape=shape)
    else:
        y = writer.node("MatMul", x, p["kernel"], shape=shape)
        y = writer.node("Add", y, p["bias"]) if layer.bias else y
    return writer.inside("activation", layer.activation, p, y)


@writes(embedding)
def lookup(writer, layer, p, s, x):
    return writer.node("Gather", p["embedding"], x, axis=0, shape=(*x.shape, layer.size))


def attend(writer, p, x):
    """The logits of every id, with the table itself and no transposed copy of it."""
    count, size = p["embedding"].shape
    turned = writer.node("Transpose", p["embedding"], shape=(size, count), perm=[1, 0])
    return writer.node("MatMul", x, turned, shape=(*x.shape[:-1], count))


@writes(matmul)
def product(writer, layer, p, s, x):
    a, b = x
    if min(a.ndim, b.ndim) < 2 or np.dtype(a.dtype) != np.dtype(b.dtype):
        return NotImplemented
    out = writer.out(layer, x)
    return writer.node("MatMul", a, b, shape=out.shape)


@writes(contract)
def contraction(writer, layer, p, s, x):
    operands = x if isinstance(x, tuple) else (x,)
    if len({np.dtype(o.dtype) for o in operands}) > 1:
        return NotImplemented
    equation = dict(layer.options)["equation"].replace(" ", "")
    return writer.node("Einsum", *operands, equation=equation, shape=writer.out(layer, x).shape)
