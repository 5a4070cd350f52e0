"""Linear maps, products of matrices, einsum, embeddings."""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.dense import fc
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.each_example import spread
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.weight_expressions import rows
from compose.port.ir.weights import View
from compose.port.lowering.each_example import has_batch
from compose.port.lowering.values import BATCH, Value, Weight, identity_axes, turned


@rule("aten.linear")
def _linear(low, node, x, weight, bias=None):
    shape = low.shape
    if x.unflat is not None:
        view = _unflattened(x, weight)
    else:
        view = turned(replace(weight.view, note="OI→IO"), weight.shape, (1, 0))
        if x.axes[-1] != x.ndim - 1:
            x = low.as_source(x)
    if isinstance(bias, Value):  # that is made of several parameters
        made = low.emit(fc(weight.shape[0], bias=False), x, shape=shape, axes=x.axes, weights={"kernel": view})
        wide = low.reshaped(bias, (1,) * (len(shape) - 1) + bias.shape, BATCH, flattens=False)
        wide = low.emit(word("broadcast_to")(*shape[1:]), wide, shape=(1, *shape[1:])) if len(shape) > 2 else wide
        return low.emit(word("add"), made, low.moved(wide, made.axes), shape=shape, axes=made.axes)
    tied = bias is not None and low.is_table(view.source)  # an embedding's `attend` has no bias
    layer = fc(weight.shape[0], bias=bias is not None and not tied)
    made = low.emit(layer, x, shape=shape, axes=x.axes, weights={"kernel": view, "bias": None if tied else bias})
    return low.emit(word("learned_bias")(), made, weights={"bias": bias}) if tied else made


def _unflattened(x, weight: Weight) -> View:
    """The rows of a matrix after `flatten`, from the source's order of channels and space to ours."""
    inner = x.unflat.shape[1:]
    order = tuple(a for a in x.unflat.axes[1:])
    return View(
        weight.view.source,
        split=(weight.shape[0], *inner),
        axes=(*order, 0),
        shape=(math.prod(inner), weight.shape[0]),
        note="O(CHW)→(HWC)O",
    )


@rule("aten.embedding")
def _embedding(low, node, weight, ids, padding_index=-1, scale_grad=False, sparse=False):
    if isinstance(ids, np.ndarray):
        return places(low, weight, ids)
    if isinstance(weight, Value) and padding_index < 0 and not scale_grad:
        return emitted(low, word("ops.take")(axis=0), weight, ids)
    if not isinstance(weight, Weight):
        raise PortError("a table that is a parameter, got one that is computed")
    if scale_grad:
        raise PortError("an embedding whose gradient is not scaled by frequency (scale_grad_by_freq=False)")
    layer = word("embedding")(*weight.shape, **({} if padding_index < 0 else {"padding": padding_index}))
    ids = low.as_source(ids)
    low.record_table(weight)
    return low.emit(layer, ids, axes=identity_axes(ids.ndim + 1), weights={"embedding": weight})


@rule("aten.embedding_renorm")
def _embedding_renorm(low, node, *args):
    raise PortError("a table that is a parameter, got one that is computed, as max_norm= does in each forward pass")


def places(low: Any, weight: Weight, ids: np.ndarray) -> Any:
    """Rows of a table at the same indices for each example, as for positions: a parameter of their shape."""
    start, n = int(ids.flat[0]), ids.size
    alike = bool((ids == start).all())
    if low.like is not None or not (alike or np.array_equal(ids.ravel(), start + np.arange(n))):
        return rows(low, weight, ids)
    if weight.view != View(weight.view.source):
        raise PortError("positions in a table of its own")
    shape = (*ids.shape, weight.shape[1])
    if alike and n > 1:
        n, shape = 1, (*(1 for _ in ids.shape), weight.shape[1])
    stop, count = start + n, weight.shape[0]
    low.read_rows(weight, start, stop)
    view = View(weight.view.source, rows=None if n == count else (start, stop), shape=shape)
    made = Weight.of(view, weight.array[start:stop].reshape(shape))
    return made if alike else replace(made, places=count - start)


@rule("compose.embedding_bag")
def _embedding_bag(low, node, weight, ids, per_sample_weights, mode, padding_index):
    if not isinstance(weight, Weight):
        raise PortError("a table that is a parameter, got one that is computed")
    layer = word("embedding_bag")(*weight.shape, mode, **({} if padding_index is None else {"padding": padding_index}))
    given = [low.as_source(v) for v in (ids, per_sample_weights) if v is not None]
    return low.emit(layer, *given, shape=low.shape, axes=(0, 1), weights={"embedding": weight})


@rule("aten.bilinear")
def _bilinear(lowering, node, a, b, weight, bias=None):
    if not isinstance(weight, Weight) or isinstance(bias, Value) or not all(isinstance(v, Value) for v in (a, b)):
        made = emitted(lowering, word("contract")(equation="...i,oij,...j->...o"), a, weight, b)
        return made if bias is None else emitted(lowering, word("ops.add"), made, bias)
    layer = word("bilinear")(weight.shape[0], bias=bias is not None)
    a, b = lowering.as_source(a), lowering.as_source(b)
    return lowering.emit(layer, a, b, axes=a.axes, weights={"kernel": weight.turned((1, 2, 0)), "bias": bias})


@rules("aten.matmul", "aten.mm", "aten.bmm")
def _matmul(low, node, a, b):
    shape = low.shape
    if isinstance(a, Value) and isinstance(b, Weight) and len(b.shape) == 2:
        return dense(low, a, b, None)
    if isinstance(a, Value) and isinstance(b, Value) and min(a.ndim, b.ndim) > 1:
        return low.emit(word("matmul"), low.as_source(a), low.as_source(b), shape=shape, axes=identity_axes(len(shape)))
    ranks = len(a.shape), len(b.shape)
    weights = sum(isinstance(v, Weight) for v in (a, b))
    if min(ranks) < 2 or (min(ranks) > 2 and ranks[0] != ranks[1]) or not weights:
        return emitted(low, word("ops.matmul"), *map(lambda x, source: spread(low, x, source), (a, b), node.args))
    if not any(isinstance(v, Value) and has_batch(v.shape) for v in (a, b)):  # of parameters
        return emitted(low, word("matmul"), a, b)
    batch = [string.ascii_lowercase[: rank - 2] for rank in ranks]
    return _contract(low, f"{batch[0]}xk,{batch[1]}ky", f"{max(batch, key=len)}xy", [a, b], node.args)


@rule("aten.addmm")
def _addmm(low, node, bias, a, b, beta=1, alpha=1):
    plain = isinstance(a, Value) and isinstance(b, Weight) and isinstance(bias, Weight) and (beta, alpha) == (1, 1)
    if not plain or len(bias.shape) != 1:
        raise PortError("addmm of a bias, a value and a matrix of weights")
    return dense(low, a, b, bias)


@rule("aten.addbmm")
def _addbmm(low, node, x, a, b, beta=1, alpha=1):
    product = emitted(low, word("contract")(equation="bij,bjk->ik"), a, b)
    product = product if alpha == 1 else emitted(low, word("scale")(by=alpha), product)
    x = x if beta == 1 else emitted(low, word("scale")(by=beta), x, shape=x.shape)
    return emitted(low, word("ops.add"), product, x)


@rule("aten.einsum")
def _einsum(low, node, equation: str, operands: list, path=None):
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    if not arrow:
        counts = Counter(inputs.replace(",", "").replace(".", ""))
        out = ("..." if "..." in inputs else "") + "".join(sorted(c for c, n in counts.items() if n == 1))
    return _contract(low, inputs, out, operands, node.args[1])


def dense(low: Any, x: Value, kernel: Weight, bias: Weight | None) -> Value:
    shape, x = low.shape, low.whole(x)
    x = x if x.axes[-1] == x.ndim - 1 else low.as_source(x)
    layer = fc(kernel.shape[1], bias=bias is not None)
    return low.emit(layer, x, shape=shape, axes=x.axes, weights={"kernel": kernel, "bias": bias})


def _contract(low: Any, inputs: str, out: str, operands: list, sources: Sequence[Any]) -> Value:
    """An einsum of values in their present layout, or of a value and a weight.

    Args:
        sources: the nodes that give the operands.
    """
    terms, axes = inputs.split(","), identity_axes(len(low.shape))
    weights = [i for i, v in enumerate(operands) if isinstance(v, Weight)]
    if len(operands) != 2 or len(weights) != 1 or not all(isinstance(v, (Value, Weight)) for v in operands):
        return _of_values(low, terms, out, list(map(lambda x, source: spread(low, x, source), operands, sources)))
    i = weights[0]
    x, left, kernel, right = operands[1 - i], terms[1 - i], operands[i], terms[i]
    alike = [a for a, (n, m) in enumerate(zip(kernel.shape, sizes_of(sources[i].meta["val"]))) if n != m]
    if alike and ("." in inputs or not {right[a] for a in alike} <= set(left)):
        operands[i] = spread(low, kernel, sources[i])
        return _of_values(low, terms, out, operands)
    if alike:  # the same matrix for each example
        shape = tuple(n for a, n in enumerate(kernel.shape) if a not in alike)
        right = "".join(c for a, c in enumerate(right) if a not in alike)
        kernel = replace(kernel, view=kernel.reshaped_view(shape), shape=shape, array=kernel.array.reshape(shape))
    if left[-1:] + out[-1:] in (right, right[::-1]) and out[:-1] == left[:-1] and out[-1] not in left:
        return dense(low, x, kernel if right[-1] == out[-1] else kernel.turned((1, 0)), None)
    sizes = tuple(n for c, n in zip(right, kernel.shape) if c not in left)
    layer = word("einsum")(f"{left},{right}->{out}", sizes)
    return low.emit(layer, low.as_source(x), axes=axes, weights={"kernel": kernel})


def _of_values(low: Any, terms: list[str], out: str, operands: list) -> Value:
    """An einsum of values, or of whatever becomes one."""
    if not all(isinstance(v, Value) for v in operands):
        return emitted(low, word("contract")(equation=f"{','.join(terms)}->{out}"), *operands)
    values = [low.as_source(v) if "." in term else low.whole(v) for term, v in zip(terms, operands)]
    ours = [term if "." in term else "".join(term[a] for a in v.axes) for term, v in zip(terms, values)]
    axes = identity_axes(len(low.shape))
    return low.emit(word("contract")(equation=f"{','.join(ours)}->{out}"), *values, axes=axes)
