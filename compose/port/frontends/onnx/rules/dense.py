"""Linear maps, products of matrices, einsum, embeddings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.dense import fc
from compose.port.frontends.onnx.registry import rule
from compose.port.frontends.onnx.weight_moves import of_weights
from compose.port.ir.weights import View
from compose.port.lowering.binary import binary
from compose.port.lowering.values import Value, Weight, identity_axes


@rule("onnx.Gemm")
def _gemm(low, node, x, matrix, bias=None):
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    plain = isinstance(x, Value) and isinstance(matrix, Weight) and not node.get("transA", 0) and alpha == 1
    if plain and x.ndim > 2:  # a pass has taken the reshapes around it away
        return linear(low, x, matrix, bias, out_first=bool(node.get("transB", 0)))
    if plain and (bias is None or (beta == 1 and isinstance(bias, Weight) and bias.array.size == low.shape[-1])):
        return linear(low, x, matrix, bias, out_first=bool(node.get("transB", 0)))
    a, b = (low.as_source(low.as_value(v)) for v in (x, matrix))
    a, b = (_transposed(low, v) if node.get(f"trans{k}", 0) else v for v, k in ((a, "A"), (b, "B")))
    y = low.emit(word("matmul"), a, b, axes=identity_axes(len(low.shape)))
    y = y if alpha == 1 else low.emit(word("scale")(by=alpha), y)
    if bias is None:
        return y
    bias = bias if beta == 1 else low.emit(word("scale")(by=beta), low.as_value(bias), shape=bias.shape)
    return binary(low, "add", y, bias)


def _transposed(low, x: Value) -> Value:
    return low.emit(word("permute")(1, 0), x, shape=x.shape[::-1], axes=(0, 1))


@rule("onnx.compose.Linear")
def _linear(low, node, x, matrix, bias=None):
    if isinstance(matrix, Value):
        return _gemm(low, node, x, matrix, bias)
    return linear(low, x, matrix, bias, out_first=bool(node.get("transB", 0)))


def linear(low, x: Value, matrix: Weight, bias, out_first: bool) -> Value:
    """`x @ matrix + bias` over the last axis; the matrix is `(out, in)` with `out_first`."""
    shape = low.shape
    turned = matrix.view.axes == (1, 0)
    if turned and matrix.view == View(matrix.view.source, rows=matrix.view.rows, axes=(1, 0), note=matrix.view.note):
        out_first = not out_first  # the array is stored the other way round
        stored = matrix.shape[::-1]
    else:
        matrix = low.weight(matrix)
        stored = matrix.shape
    source, rows = matrix.view.source, matrix.view.rows
    size = stored[0] if out_first else stored[1]
    if x.unflat is not None:
        view = _unflattened(x, source, rows, size, out_first)
    else:
        view = View(source, rows=rows, axes=(1, 0), note="OI→IO") if out_first else View(source, rows=rows)
        if x.axes[-1] != x.ndim - 1:
            x = low.as_source(x)
    bias = low.bias(bias)
    if bias is not None and bias.shape != (size,):
        if bias.array.size != size:
            raise PortError(f"a bias of {size} numbers, got shape {bias.shape}")
        bias = View(bias.view.source, rows=bias.view.rows, shape=(size,))
    layer = fc(size, bias=bias is not None)
    return low.emit(layer, x, shape=shape, axes=x.axes, weights={"kernel": view, "bias": bias})


def _unflattened(x: Value, source: str, rows, size: int, out_first: bool) -> View:
    """The rows of a matrix after `flatten`, from the source's order of channels and space to ours."""
    assert x.unflat is not None
    inner, order = x.unflat.shape[1:], x.unflat.axes[1:]
    if out_first:
        split, axes, note = (size, *inner), (*order, 0), "O(CHW)→(HWC)O"
    else:
        split, axes, note = (*inner, size), (*(a - 1 for a in order), len(inner)), "(CHW)O→(HWC)O"
    return View(source, rows=rows, split=split, axes=axes, shape=(math.prod(inner), size), note=note)


@rule("onnx.MatMul")
@of_weights
def _matmul(low, node, a, b):
    if isinstance(b, np.ndarray) and isinstance(a, Value):
        b = low.weight(b)
    if isinstance(a, Value) and isinstance(b, Weight) and len(b.shape) == 2 and not low.is_repeated(b):
        return linear(low, a, b, None, out_first=False)
    if not isinstance(a, Value) and not isinstance(b, Value):
        return None
    shape = low.shape
    a, b = low.as_source(low.as_value(a)), low.as_source(low.as_value(b))
    layer = word("matmul") if min(a.ndim, b.ndim) > 1 else word("ops.matmul")
    return low.emit(layer, a, b, shape=shape, axes=identity_axes(len(shape)))


@rule("onnx.Einsum")
def _einsum(low, node, *xs):
    equation = node.get("equation").replace(" ", "")
    terms, _, out = equation.partition("->")
    pair = sorted(zip(xs, terms.split(",")), key=lambda v: isinstance(v[0], Weight))
    (x, left), (kernel, right) = pair[0], pair[-1]
    learned = len(pair) == 2 and isinstance(x, Value) and isinstance(kernel, Weight) and bool(out)
    alike = _alike(low, kernel) if learned else []
    if not learned or "." in equation or not {right[a] for a in alike} <= set(left):
        values = [low.as_source(low.as_value(x)) for x in xs]
        return low.emit(word("contract")(equation=equation), *values, axes=identity_axes(len(low.shape)))
    x, axes = low.as_source(x), identity_axes(len(low.shape))
    if alike:  # the same for each example
        shape = tuple(n for a, n in enumerate(low.repeated_to(kernel)) if a not in alike)
        kernel = replace(kernel, view=kernel.reshaped_view(shape), shape=shape, array=kernel.array.reshape(shape))
        right = "".join(c for a, c in enumerate(right) if a not in alike)
        if right in (left[-1] + out[-1], out[-1] + left[-1]) and out[:-1] == left[:-1]:
            kernel = kernel if right[-1] == out[-1] else kernel.turned((1, 0))
            return low.emit(fc(kernel.shape[1], bias=False), x, axes=axes, weights={"kernel": kernel})
    weight = kernel if alike else low.weight(kernel)
    sizes = tuple(n for c, n in zip(right, weight.shape) if c not in left)
    layer = word("einsum")(f"{left},{right}->{out}", **({"sizes": sizes} if sizes else {}))
    return low.emit(layer, x, axes=axes, weights={"kernel": weight})


def _alike(low, kernel: Weight) -> list[int]:
    """The axes along which the file repeats a weight."""
    shape = low.repeated_to(kernel) or kernel.shape
    own = (1,) * (len(shape) - len(kernel.shape)) + tuple(kernel.shape)
    return [a for a, (n, m) in enumerate(zip(own, shape)) if n != m]
