"""Dense layers, activations, joins and shape operations of Keras."""

from __future__ import annotations

import functools
from typing import Any

import keras

from compose.core.errors import PortError
from compose.core.registry import known, word
from compose.port.frontends.keras.registry import rule, rules

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
        return _as_word(fn)
    options = dict(fn.keywords) if isinstance(fn, functools.partial) else {}
    name = getattr(fn.func if isinstance(fn, functools.partial) else fn, "__name__", "")
    if name not in ACTIVATIONS or not known(ACTIVATIONS[name]):
        raise PortError(f"an activation of Keras, got {name or fn!r}; teach yours with @compose.port.rule")
    made = word(ACTIVATIONS[name])
    if name == "leaky_relu":
        options = {"negative_slope": options.get("negative_slope", 0.2)}
    return made(**options) if options else made


def adapted(walk: Any, layer: Any, plain: Any, x: Any) -> Any:
    """A layer with LoRA: Keras trains its bias, `lora` freezes all that is inside, so the bias and activation follow.

    `plain` is the word of the layer, without bias and activation.
    """
    rank, alpha = layer.lora_rank, float(layer.lora_alpha)
    made = word("lora")(plain, rank, **({"alpha": alpha} if alpha != rank else {}))
    pair = {"lora/kernel/a": layer.lora_kernel_a, "lora/kernel/b": layer.lora_kernel_b}
    pair["lora/kernel/a"] = walk.take(layer.lora_kernel_a, shape=(-1, rank))
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


def _as_word(layer: Any) -> Any:
    """A layer of Keras that is an activation, as ours."""
    kind = type(layer).__name__
    if kind == "Activation":
        return activation(layer.activation)
    if kind == "ReLU":
        return _rectifier(float(layer.negative_slope), float(layer.threshold), layer.max_value)
    if kind == "LeakyReLU":
        return word("leaky_relu")(negative_slope=float(layer.negative_slope))
    if kind == "ELU":
        return word("elu")(alpha=float(layer.alpha))
    if kind == "Softmax":
        return word("softmax")(axis=layer.axis if isinstance(layer.axis, int) else tuple(layer.axis))
    raise PortError(f"an activation function, got the layer {kind}; put it after the layer")


def _rectifier(slope: float, threshold: float, top: float | None) -> Any:
    if (slope, threshold) == (0, 0) and top in (None, 6):
        return word("relu" if top is None else "relu6")
    if (threshold, top) == (0, None):
        return word("leaky_relu")(negative_slope=slope)
    given = {"max_value": top, "negative_slope": slope, "threshold": threshold}
    return word("relu")(**{k: float(v) for k, v in given.items() if v})


@rules(*(f"keras.layers.{name}" for name in ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")))
def _activation(walk, layer, x):
    return walk.emit(_as_word(layer), x)


@rules("keras.layers.InputLayer", "keras.layers.Identity", "keras.layers.ActivityRegularization", "keras.ops.Identity")
def _nothing(walk, layer, x):
    return x


_JOINS = ("Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum")


@rules(*(f"keras.layers.{name}" for name in _JOINS))
def _join(walk, layer, xs):
    name = type(layer).__name__
    if name in ("Multiply", "Maximum", "Minimum") and any(mask_of(t) is not None for t in walk.node.input_tensors):
        raise PortError(f"{name} of values without masks; Keras puts others in the place of padded steps")
    return walk.emit(word(name.lower()), *xs)


@rule("keras.layers.CustomScaleLayer")
def _scaled_sum(walk, layer, xs):
    """InceptionResNetV2's own."""
    x, y = xs
    return walk.emit(word("add"), x, walk.emit(word("scale")(by=float(layer.scale)), y))


@rule("keras.layers.Concatenate")
def _concatenate(walk, layer, xs):
    rank = len(layer._build_shapes_dict["input_shape"][0])
    last = layer.axis in (-1, rank - 1)
    return walk.emit(word("concat") if last else word("concat")(axis=layer.axis), *xs)


def mask_of(tensor: Any) -> Any:
    """The mask that Keras hangs on a symbolic value, or None."""
    return getattr(tensor, "_keras_mask", None)


@rule("keras.layers.Flatten")
def _flatten(walk, layer, x):
    if layer.data_format == "channels_first" and walk.rank > 2:
        x = walk.emit(word("permute")(0, *range(2, walk.rank), 1), x)
    return walk.emit(word("flatten"), x)


@rule("keras.layers.Reshape")
def _reshape(walk, layer, x):
    shape = layer.target_shape
    pooled = type(walk.node.input_tensors[0]._keras_history.operation).__name__
    pool = walk.producer(x)
    keeps = pooled == f"GlobalAveragePooling{len(shape) - 1}D" and set(shape[:-1]) == {1}
    if keeps and pool is not None and pool is walk.ops[-1] and pool.layer == word("global_avg_pool"):
        return walk.emit(word("global_avg_pool")(keepdims=True), x.but(index=pool.inputs[0]))
    return walk.emit(word("reshape")(*shape), x)


@rule("keras.layers.Permute")
def _permute(walk, layer, x):
    return walk.emit(word("permute")(0, *layer.dims), x)


@rule("keras.layers.RepeatVector")
def _repeat_vector(walk, layer, x):
    return walk.emit(word("repeat_vector")(layer.n), x)
