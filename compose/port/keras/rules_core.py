"""Dense layers, activations, joins and shape operations of Keras."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import known, word
from compose.port.keras.walk import Ref
from compose.port.rules import rule, rules

ACTIVATIONS = {
    "linear": "identity", "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "softmax": "softmax", "gelu": "gelu",
    "silu": "silu", "swish": "silu", "elu": "elu", "selu": "selu", "softplus": "softplus", "softsign": "soft_sign",
    "hard_sigmoid": "hard_sigmoid", "hard_silu": "hard_swish", "hard_swish": "hard_swish", "relu6": "relu6",
    "mish": "mish",
    "exponential": "exp", "log_softmax": "log_softmax", "leaky_relu": "leaky_relu", "log_sigmoid": "log_sigmoid",
    "tanh_shrink": "tanh_shrink", "celu": "celu", "squareplus": "squareplus", "sparse_plus": "sparse_plus",
    "sparsemax": "sparsemax", "hard_tanh": "hard_tanh", "hard_shrink": "hard_shrink", "soft_shrink": "soft_shrink",
}  # fmt: skip


def activation(fn: Any) -> Any:
    """Our activation for one of Keras's."""
    if fn is None:
        return word("identity")
    if isinstance(fn, keras.Layer):
        raise PortError(f"an activation function, got the layer {type(fn).__name__}; put it after the layer")
    options = dict(fn.keywords) if isinstance(fn, functools.partial) else {}
    name = getattr(fn.func if isinstance(fn, functools.partial) else fn, "__name__", "")
    if name not in ACTIVATIONS or not known(ACTIVATIONS[name]):
        raise PortError(f"an activation of Keras, got {name or fn!r}; teach yours with @compose.port.rule")
    made = word(ACTIVATIONS[name])
    if name == "leaky_relu":
        options = {"negative_slope": options.get("negative_slope", 0.2)}
    return made(**options) if options else made


@rule("keras.layers.Dense")
def _dense(walk, layer, x):
    made = word("fc")(layer.units, activation(layer.activation), bias=layer.use_bias)
    return walk.emit(made, x, weights={"kernel": layer.kernel, "bias": layer.bias})


@rule("keras.layers.Activation")
def _activation(walk, layer, x):
    return walk.emit(activation(layer.activation), x)


@rule("keras.layers.ReLU")
def _relu(walk, layer, x):
    slope, threshold, top = float(layer.negative_slope), float(layer.threshold), layer.max_value
    if (slope, threshold) == (0, 0) and top in (None, 6):
        return walk.emit(word("relu" if top is None else "relu6"), x)
    if (threshold, top) == (0, None):
        return walk.emit(word("leaky_relu")(negative_slope=slope), x)
    raise PortError(f"ReLU with a slope or a maximum of 6, got slope {slope}, threshold {threshold}, maximum {top}")


@rule("keras.layers.LeakyReLU")
def _leaky(walk, layer, x):
    return walk.emit(word("leaky_relu")(negative_slope=float(layer.negative_slope)), x)


@rule("keras.layers.ELU")
def _elu(walk, layer, x):
    return walk.emit(word("elu")(alpha=float(layer.alpha)), x)


@rule("keras.layers.Softmax")
def _softmax(walk, layer, x):
    return walk.emit(word("softmax")(axis=layer.axis), x)


@rule("keras.layers.Dropout")
def _dropout(walk, layer, x):
    return walk.emit(word("dropout")(float(layer.rate)), x) if layer.rate else x


@rules("keras.layers.InputLayer", "keras.layers.Identity", "keras.layers.ActivityRegularization", "keras.ops.Identity")
def _nothing(walk, layer, x):
    return x


_JOINS = ("Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum")


@rules(*(f"keras.layers.{name}" for name in _JOINS))
def _join(walk, layer, xs):
    return walk.emit(word(type(layer).__name__.lower()), *xs)


@rule("keras.layers.Concatenate")
def _concatenate(walk, layer, xs):
    rank = len(layer._build_shapes_dict["input_shape"][0])
    last = layer.axis in (-1, rank - 1)
    return walk.emit(word("concat") if last else word("concat")(axis=layer.axis), *xs)


_CONSTANT = {
    "add": lambda c: word("add_constant")(value=c),
    "subtract": lambda c: word("add_constant")(value=-c),
    "multiply": lambda c: word("scale")(by=c),
    "divide": lambda c: word("scale")(by=1 / c),
}


@rules("keras.ops.Add", "keras.ops.Multiply", "keras.ops.Subtract", "keras.ops.Divide", "keras.ops.TrueDivide")
def _operator(walk, op, a, b):
    name = type(op).__name__.removeprefix("True").lower()
    if isinstance(a, Ref) and isinstance(b, Ref):
        return walk.emit(word(name), a, b)
    if not isinstance(a, Ref) and name in ("add", "multiply"):
        a, b = b, a
    if isinstance(a, Ref) and isinstance(b, keras.Variable) and name in ("add", "multiply"):
        return _learned(walk, "learned_scale" if name == "multiply" else "learned_bias", a, b)
    if not isinstance(a, Ref) or np.ndim(b):
        raise PortError(f"{name} of two values, or of a value and a number or a weight after it")
    return walk.emit(_CONSTANT[name](float(b)), a)


def _learned(walk: Any, name: str, x: Ref, weight: Any) -> Ref:
    given = next(t.shape for t in walk.node.input_tensors)
    shape = tuple(weight.shape)
    made = word(name) if shape == (given[-1],) else word(name)(shape=shape)
    return walk.emit(made, x, weights={name.removeprefix("learned_"): weight})


@rules("keras.ops.Matmul", "keras.ops.Dot")
def _matmul(walk, op, a, b):
    if isinstance(a, Ref) and isinstance(b, keras.Variable) and len(b.shape) == 2:
        return walk.emit(word("fc")(b.shape[1], bias=False), a, weights={"kernel": b})
    if type(op).__name__ == "Dot" or not (isinstance(a, Ref) and isinstance(b, Ref)):
        raise PortError("the matrix product of two values, or of a value and a weight after it")
    return walk.emit(word("matmul"), a, b)


@rule("keras.layers.Flatten")
def _flatten(walk, layer, x):
    return walk.emit(word("flatten"), x)


@rule("keras.layers.Reshape")
def _reshape(walk, layer, x):
    return walk.emit(word("reshape")(*layer.target_shape), x)


@rule("keras.layers.Permute")
def _permute(walk, layer, x):
    return walk.emit(word("permute")(0, *layer.dims), x)


@rule("keras.layers.RepeatVector")
def _repeat_vector(walk, layer, x):
    return walk.emit(word("repeat_vector")(layer.n), x)


@rule("keras.layers.Rescaling")
def _rescaling(walk, layer, x):
    made = walk.emit(word("scale")(by=layer.scale), x) if layer.scale != 1 else x
    return walk.emit(word("add_constant")(value=layer.offset), made) if layer.offset else made


@rule("keras.layers.Embedding")
def _embedding(walk, layer, x):
    if layer.mask_zero:
        raise PortError("an embedding with mask_zero=False; give lengths or a mask to the recurrent layers instead")
    return walk.emit(word("embedding")(layer.input_dim, layer.output_dim), x, weights={"embedding": layer._embeddings})
