"""The primitives that some of torch's decompositions end in."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.registry import rule
from compose.port.frontends.torch.rules.dtype import converted


@rule("prims.convert_element_type")
def _convert(low, node, x: Any, dtype: Any):
    return converted(low, node, x)


@rule("prims.var")
def _var(low, node, x: Any, axes: list[int] | None, correction: float = 1):
    axis = {} if axes is None else {"axis": tuple(axes) if len(axes) > 1 else axes[0]}
    return emitted(low, word("ops.var")(**axis, **({"ddof": int(correction)} if correction else {})), x)


@rule("prims.broadcast_in_dim")
def _broadcast(low, node, x: Any, shape: list[int], axes: list[int]):
    sizes = tuple(x.shape[axes.index(a)] if a in axes else 1 for a in range(len(shape)))
    missing = tuple(a for a in range(len(shape)) if a not in axes)
    wide = emitted(low, word("ops.expand_dims")(axis=missing), x, shape=sizes) if missing else x
    low.sized = True
    return wide if sizes == low.shape else emitted(low, word("ops.broadcast_to")(shape=low.shape), wide)
