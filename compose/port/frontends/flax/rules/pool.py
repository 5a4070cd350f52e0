"""JAX's reductions over windows: pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import lax

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rule
from compose.port.frontends.flax.rules.conv import one


@rule("jax.reduce_window_max")
def _max_pool(low, eqn, x):
    return low.emit(word("max_pool")(**_window(eqn)), x)


@rule("jax.reduce_window_sum")
def _sum_pool(low, eqn, x):
    window = _window(eqn)
    mean = low.emit(word("avg_pool")(**window), x)
    return low.emit(word("scale")(by=float(np.prod(eqn.params["window_dimensions"]))), mean)


def average(eqn: Any, count: np.ndarray) -> Any:
    """Average pooling for a sum over windows divided by counts; None if the counts match no padding."""
    window = _window(eqn)
    size = np.prod(eqn.params["window_dimensions"])
    if (count == size).all():
        return word("avg_pool")(**window)
    return word("avg_pool")(**window, count_padding=False) if count.max() <= size else None


def _window(eqn: Any) -> dict[str, Any]:
    p = eqn.params
    given = {k: tuple(p[f"window_{k}"]) for k in ("dimensions", "strides", "dilation")}
    around = tuple(tuple(pair) for pair in p["padding"])
    if any(v[0] != 1 or v[-1] != 1 for v in given.values()) or any(around[0]) or any(around[-1]):
        raise PortError("windows over the axes between the batch and the channels")
    if any(n != 1 for n in p["base_dilation"]):
        raise PortError("windows without base_dilation")
    size, stride, dilation = (one(v[1:-1]) for v in given.values())
    widths = tuple(one(pair) for pair in around[1:-1])
    padding: Any = one(widths) if isinstance(one(widths), int) else widths
    same = lax.padtype_to_pads(eqn.inputs[0].shape, p["window_dimensions"], p["window_strides"], "SAME")
    if any(a != b for a, b in around) and around == tuple(map(tuple, same)):
        padding = "same"
    made: dict[str, Any] = {"size": size} | ({} if stride == size else {"stride": stride})
    made |= {"padding": padding} if padding else {}
    return made | ({} if dilation == 1 else {"dilation": dilation})
