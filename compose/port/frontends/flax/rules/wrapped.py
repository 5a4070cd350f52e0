"""Layers around another whose kernel they change: weight and spectral normalisation, LoRA."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import class_rule, rule
from compose.port.frontends.jax.values import Weight

_INSIDE = "layer_instance/"


@rule("flax.linen.normalization.WeightNorm")
def _weight_norm(low, module, *args, **options):
    axes = module.feature_axes if isinstance(module.feature_axes, (tuple, list)) else (module.feature_axes,)
    if not module.use_scale or tuple(axes) != (-1,) or set(module.variable_filter or ()) != {"kernel"}:
        raise PortError("a WeightNorm of kernels with its scale, over feature_axes=-1")
    gain = _own(low, "scale")
    y, op = _inner(low, module, args, options)
    rank = len(low.model.arrays[op.weights["kernel"].source].shape)
    shape = (*(1,) * (rank - 1), -1)
    made = word("weight_norm")(op.layer, **_epsilon(module))
    weights = {**op.weights, "weight_norm/kernel": replace(gain.view, shape=shape)}
    low.replace_op(op, layer=made, weights=weights)
    return y


@rule("flax.linen.normalization.SpectralNorm")
def _spectral_norm(low, module, *args, update_stats=False, **options):
    u, sigma = _own(low, "u"), _own(low, "sigma")
    y, op = _inner(low, module, args, options)
    steps = {} if module.n_steps == 1 else {"iterations": module.n_steps}
    made = word("spectral_norm")(op.layer, fresh=True, **steps, **_epsilon(module))
    state = {"spectral_norm/kernel/u": replace(u.view, shape=(-1,)), "spectral_norm/kernel/sigma": sigma.view}
    low.replace_op(op, layer=made, state={**op.state, **state})
    return y


def _own(low: Any, end: str) -> Weight:
    """The wrapper's array with this suffix, as `Dense_0/kernel/scale`."""
    found = [w for name, w in low.weights.items() if name.endswith(f"kernel/{end}") and not name.startswith(_INSIDE)]
    if len(found) != 1:
        raise PortError(f"one layer with a kernel inside, got {len(found)}")
    return found[0]


def _inner(low: Any, module: Any, args: tuple, options: dict) -> tuple[Any, Any]:
    """What the layer inside makes, and the operation that has its kernel."""
    inner = module.layer_instance
    fn: Any = class_rule(type(inner))
    with low.weights_under(_INSIDE), low.recorded() as ops:
        y = None if fn is None else fn(low, inner, *args, **options)
    op = next((op for op in ops if "kernel" in op.weights), None)
    if op is None:
        raise PortError(f"a layer of Flax with a kernel inside, got {type(inner).__name__}")
    if op.layer.kind == "einsum":
        raise PortError(f"a kernel with one axis of outputs, got {type(inner).__name__} of several")
    return y, op


def _epsilon(module: Any) -> dict[str, float]:
    return {} if module.epsilon == 1e-12 else {"epsilon": float(module.epsilon)}


@rule("flax.nnx.nn.lora.LoRA")
def _lora(low, module, x, **options):
    """Both are trained, as Flax leaves it: the layer and, beside it, two dense ones of the rank."""
    base, own = module.base_module, dict(low.weights)
    y = _update(low, own["lora_a"], own["lora_b"], x)
    if base is None:
        return y
    fn: Any = class_rule(type(base))
    if fn is None:
        raise PortError(f"LoRA around a layer of Flax, got {type(base).__name__}")
    with low.weights_under("base_module/"):
        inner = fn(low, base, x, **options)
    return low.emit(word("add"), inner, y)


@rule("flax.nnx.nn.lora.LoRALinear")
def _lora_linear(low, module, x, **options):
    own = dict(low.weights)
    base = {k: w for k, w in own.items() if "/" not in k}
    y = low.emit(word("fc")(base["kernel"].shape[1], bias="bias" in base), x, weights=base)
    return low.emit(word("add"), y, _update(low, own["lora/lora_a"], own["lora/lora_b"], x))


def _update(low: Any, a: Weight, b: Weight, x: Any) -> Any:
    shape = (*x.shape[:-1], a.shape[1])
    y = low.emit(word("fc")(a.shape[1], bias=False), x, weights={"kernel": a}, shape=shape)
    return low.emit(word("fc")(b.shape[1], bias=False), y, weights={"kernel": b})
