"""What onnxruntime's optimiser fuses, written out: the patterns here find again what is one layer."""

from __future__ import annotations

import math

import numpy as np
import onnx

from compose.core.errors import PortError
from compose.port.frontends.onnx.passes.expansion import Writer, expansion


def _activated(write: Writer, x: str, given: dict, to: str) -> None:
    name, numbers = given.get("activation", b"").decode(), given.get("activation_params", ())
    options = {k: given[f"activation_{k}"] for k in ("alpha", "beta", "gamma") if f"activation_{k}" in given}
    if numbers:
        if name == "Clip":
            write.add("Clip", x, *(write.array(np.float32(n)) for n in numbers), to=to)
            return
        options = dict(zip(("alpha", "beta"), numbers))
    write.add(name or "Identity", x, to=to, **options)


@expansion("com.microsoft.FusedGemm")
def _gemm(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    plain = {k: v for k, v in given.items() if k in ("alpha", "beta", "transA", "transB")}
    _activated(write, write.add("Gemm", *node.input, **plain), given, node.output[0])


@expansion("com.microsoft.FusedConv")
def _conv(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    plain = {k: v for k, v in given.items() if not k.startswith("activation")}
    y = write.add("Conv", *node.input[:3], **plain)
    y = write.add("Add", y, node.input[3]) if len(node.input) > 3 else y
    _activated(write, y, given, node.output[0])


@expansion("com.microsoft.FusedMatMul", "com.microsoft.TransposeMatMul")
def _matmul(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    if any(given.get(k, 0) for k in ("transA", "transBatchA", "transBatchB")):
        raise PortError("a product whose second factor alone is transposed")
    b = node.input[1]
    if given.get("transB", 0):  # of as many axes as attention has
        b = write.add("Transpose", b, perm=(0, 1, 3, 2)) if _rank(write, b) != 2 else write.add("Transpose", b)
    y = write.add("MatMul", node.input[0], b)
    write.add("Mul", y, write.array(np.float32(given.get("alpha", 1.0))), to=node.output[0])


def _rank(write: Writer, name: str) -> int:
    return next((len(i.dims) for i in write.graph.initializer if i.name == name), 4)


@expansion("com.microsoft.Gelu", "com.microsoft.BiasGelu")
def _gelu(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    x = _summed(write, *node.input)
    curve = write.add("Erf", write.add("Div", x, write.array(np.float32(math.sqrt(2)))))
    _half(write, x, write.add("Add", curve, write.array(np.float32(1))), node.output[0])


@expansion("com.microsoft.FastGelu")
def _fast_gelu(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    x = _summed(write, *node.input)
    cube = write.add("Mul", write.add("Pow", x, write.array(np.float32(3))), write.array(np.float32(0.044715)))
    inner = write.add("Mul", write.add("Add", x, cube), write.array(np.float32(math.sqrt(2 / math.pi))))
    _half(write, x, write.add("Add", write.add("Tanh", inner), write.array(np.float32(1))), node.output[0])


def _half(write: Writer, x: str, curve: str, to: str) -> None:
    write.add("Mul", write.add("Mul", x, curve), write.array(np.float32(0.5)), to=to)


@expansion("com.microsoft.QuickGelu")
def _quick_gelu(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    x, alpha = node.input[0], given.get("alpha", 1.702)
    inner = x if alpha == 1 else write.add("Mul", x, write.array(np.float32(alpha)))
    write.add("Mul", x, write.add("Sigmoid", inner), to=node.output[0])


@expansion("com.microsoft.SkipLayerNormalization")
def _skip_norm(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    x, skip, scale, shift, bias = (*node.input, "", "")[:5]
    whole = _after_skip(write, node, x, skip, bias)
    _normed(write, whole, scale, shift, given.get("epsilon", 1e-12), node.output[0])


@expansion("com.microsoft.SkipSimplifiedLayerNormalization")
def _skip_rms(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    x, skip, scale, bias = (*node.input, "")[:4]
    whole = _after_skip(write, node, x, skip, bias)
    _rms(write, whole, scale, given.get("epsilon", 1e-6), node.output[0])


@expansion("com.microsoft.SimplifiedLayerNormalization", "SimplifiedLayerNormalization")
def _simplified(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    if given.get("axis", -1) != -1:
        raise PortError(f"a norm of the last axis, got {given['axis']}")
    _rms(write, node.input[0], node.input[1], given.get("epsilon", 1e-5), node.output[0])


def _after_skip(write: Writer, node: onnx.NodeProto, x: str, skip: str, bias: str) -> str:
    """The sum that is normed, which the node's fourth output gives too."""
    whole = _summed(write, x, bias) if bias else x
    to = node.output[3] if len(node.output) > 3 else ""
    return write.add("Add", whole, skip, to=to)


def _normed(write: Writer, x: str, scale: str, shift: str, epsilon: float, to: str) -> None:
    last = {"axes": [-1], "keepdims": 1}
    centred = write.add("Sub", x, write.add("ReduceMean", x, **last))
    square = write.add("Mul", centred, centred)
    root = write.add("Sqrt", write.add("Add", write.add("ReduceMean", square, **last), _number(write, epsilon)))
    y = write.add("Mul", write.add("Div", centred, root), scale, to="" if shift else to)
    if shift:
        write.add("Add", y, shift, to=to)


def _rms(write: Writer, x: str, scale: str, epsilon: float, to: str) -> None:
    mean = write.add("ReduceMean", write.add("Mul", x, x), axes=[-1], keepdims=1)
    root = write.add("Sqrt", write.add("Add", mean, _number(write, epsilon)))
    write.add("Mul", write.add("Div", x, root), scale, to=to)


def _number(write: Writer, number: float) -> str:
    return write.array(np.float32(number))


def _summed(write: Writer, x: str, bias: str = "") -> str:
    return write.add("Add", x, bias) if bias else x


@expansion("com.microsoft.Attention")
def _attention(write: Writer, node: onnx.NodeProto, given: dict) -> None:
    x, matrix, bias, *rest = (*node.input, "", "")
    if any(rest) or given.get("unidirectional", 0) or len(node.output) > 1 or given.get("qkv_hidden_sizes"):
        raise PortError("attention without a mask, a past or a bias of its own: export before optimising")
    whole = _summed(write, write.add("MatMul", x, matrix), bias)
    size, heads = _columns(write, matrix) // 3, given["num_heads"]
    parts = [
        write.add("Slice", whole, *(write.array(np.array([n])) for n in (i * size, (i + 1) * size, -1)))
        for i in range(3)
    ]
    split = write.array(np.array([0, 0, heads, size // heads]))
    q, k, v = (write.add("Transpose", write.add("Reshape", p, split), perm=(0, 2, 1, 3)) for p in parts)
    scores = write.add("MatMul", q, write.add("Transpose", k, perm=(0, 1, 3, 2)))
    scale = given.get("scale", 0.0) or (size // heads) ** -0.5
    weights = write.add("Softmax", write.add("Mul", scores, _number(write, scale)), axis=-1)
    y = write.add("Transpose", write.add("MatMul", weights, v), perm=(0, 2, 1, 3))
    write.add("Reshape", y, write.array(np.array([0, 0, size])), to=node.output[0])


def _columns(write: Writer, name: str) -> int:
    found = next((i.dims[1] for i in write.graph.initializer if i.name == name), None)
    if found is None:
        raise PortError("attention whose projections are weights of the file")
    return found
