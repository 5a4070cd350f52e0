"""JAX's reductions over windows: pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import lax

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.registry import rule, rules
from compose.port.frontends.jax.rules.conv import one


@rules("jax.reduce_window_max", "jax.reduce_window_min")
def _max_pool(low, eqn, x):
    turned = eqn.name == "reduce_window_min"
    x = low.emit(word("scale")(by=-1.0), x, shape=x.shape) if turned else x
    y = _pooled(low, eqn, x, "max_pool")
    return low.emit(word("scale")(by=-1.0), y) if turned else y


@rule("jax.reduce_window_sum")
def _sum_pool(low, eqn, x):
    mean = _pooled(low, eqn, x, "avg_pool")
    return low.emit(word("scale")(by=float(np.prod(eqn.params["window_dimensions"]))), mean)


def _pooled(low: Any, eqn: Any, x: Any, name: str) -> Any:
    """Windows between the batch and the channels; over other axes they are moved there."""
    p, rank = eqn.params, x.ndim
    over = [
        i for i in range(rank)
        if p["window_dimensions"][i] != 1 or p["window_strides"][i] != 1 or any(p["padding"][i])
    ]  # fmt: skip
    if any(n != 1 for n in p["base_dilation"]):
        raise PortError("windows without base_dilation")
    if not (over and over[0] == 0) and rank - 1 not in over and 3 <= rank <= 5:
        return low.emit(word(name)(**_window(eqn)), x)
    if (0 in over and x.shape[0] % low.batch == 0) or len(over) > 3:
        raise PortError("windows over the axes of each example, three at most")
    if 0 not in over and 2 <= rank <= 4:
        wide = (*x.shape, 1)
        y = low.emit(word("ops.expand_dims")(axis=-1), x, shape=wide)
        y = low.emit(word(name)(**_window(eqn, list(range(1, rank)))), y, shape=(*eqn.outputs[0].shape, 1))
        return low.emit(word("ops.squeeze")(axis=-1), y)
    x = low.emit(word("ensure_shape")(*(None if n % low.batch == 0 else n for n in x.shape)), x, shape=x.shape)
    rest = [i for i in range(rank) if i not in over]
    order = (*rest, *over)
    sizes = lambda axes, shape: tuple(shape[i] for i in axes)
    y = low.emit(word("permute")(*order), x, shape=sizes(order, x.shape)) if order != tuple(range(rank)) else x
    flat = (int(np.prod(sizes(rest, x.shape))), *sizes(over, x.shape), 1)
    free = lambda shape: tuple(-1 if n and n % low.batch == 0 else n for n in shape)
    y = low.emit(word("reshape")(*free(flat), batch=False), y, shape=flat)
    out = eqn.outputs[0].shape
    small = (flat[0], *sizes(over, out), 1)
    y = low.emit(word(name)(**_window(eqn, over)), y, shape=small)
    y = low.emit(word("reshape")(*free(sizes(order, out)), batch=False), y, shape=sizes(order, out))
    back = tuple(int(i) for i in np.argsort(order))
    return y if back == tuple(range(rank)) else low.emit(word("permute")(*back), y)


def average(eqn: Any, count: np.ndarray) -> Any:
    """Average pooling for a sum over windows divided by counts; None if the counts match no padding."""
    p = eqn.params
    if p["window_dimensions"][0] != 1 or p["window_dimensions"][-1] != 1 or not 3 <= count.ndim <= 5:
        return None
    window = _window(eqn)
    size = np.prod(p["window_dimensions"])
    if (count == size).all():
        return word("avg_pool")(**window)
    ones = np.ones((1, *eqn.inputs[0].shape[1:-1], 1))
    counted = np.asarray(lax.reduce_window(
        ones, 0.0, lax.add, (1, *p["window_dimensions"][1:-1], 1), (1, *p["window_strides"][1:-1], 1),
        [(0, 0), *p["padding"][1:-1], (0, 0)],
    ))  # fmt: skip
    return word("avg_pool")(**window, count_padding=False) if (count == counted).all() else None


def _window(eqn: Any, axes: list[int] | None = None) -> dict[str, Any]:
    p = eqn.params
    axes = list(range(1, len(p["padding"]) - 1)) if axes is None else axes
    given = {k: tuple(int(p[f"window_{k}"][i]) for i in axes) for k in ("dimensions", "strides", "dilation")}
    around = tuple(tuple(map(int, p["padding"][i])) for i in axes)
    size, stride, dilation = (one(v) for v in given.values())
    widths = tuple(one(pair) for pair in around)
    padding: Any = one(widths) if isinstance(one(widths), int) else widths
    shape = tuple(eqn.inputs[0].shape[i] for i in axes)
    same = lax.padtype_to_pads(shape, given["dimensions"], given["strides"], "SAME")
    if any(a != b for a, b in around) and around == tuple(map(tuple, same)) and dilation == 1:
        padding = "same"
    made: dict[str, Any] = {"size": size} | ({} if stride == size else {"stride": stride})
    made |= {"padding": padding} if padding else {}
    return made | ({} if dilation == 1 else {"dilation": dilation})
