"""Layers around another whose kernel they change: weight and spectral normalisation, LoRA."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import class_rule, named_rule, rule
from compose.port.ir.weights import Constant


@rule("keras.layers.SpectralNormalization")
def _spectral(walk, layer, x):
    """In training Keras divides the kernel before it is used, as ours does; its own state has the vector alone."""
    inner = layer.layer
    fn: Any = class_rule(type(inner)) or named_rule(f"keras.layers.{type(inner).__name__}")
    with walk.recorded() as ops:
        y = x if fn is None else fn(walk, inner, x)
    op = next((op for op in ops if "kernel" in op.weights), None)
    if op is None or op.layer.kind not in ("fc", "conv"):
        raise PortError(f"a dense layer or a convolution under SpectralNormalization, got {type(inner).__name__}")
    steps = layer.power_iterations
    wrapped = word("spectral_norm")(op.layer, epsilon=1e-24, **({"iterations": steps} if steps != 1 else {}))
    u = walk.view(layer.vector_u, shape=(-1,))
    state = {"spectral_norm/kernel/u": u, "spectral_norm/kernel/sigma": Constant(array=np.ones(()))}
    walk.replace_op(op, layer=wrapped, state={**op.state, **state})
    return y
