"""Products of matrices and sums of products over any axes."""

from __future__ import annotations

import string
from collections import Counter
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.dense import fc
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import Value, Weight, identity_axes


@rules("aten.matmul", "aten.mm", "aten.bmm")
def _matmul(low, node, a, b):
    shape = low.shape
    if isinstance(a, Value) and isinstance(b, Weight) and len(b.shape) == 2:
        return dense(low, a, b, None)
    if isinstance(a, Value) and isinstance(b, Value) and min(a.ndim, b.ndim) > 1:
        return low.emit(word("matmul"), low.as_source(a), low.as_source(b), shape=shape, axes=identity_axes(len(shape)))
    ranks = len(a.shape), len(b.shape)
    if min(ranks) < 2 or (min(ranks) > 2 and ranks[0] != ranks[1]):
        raise PortError(f"a product of matrices, got shapes {a.shape} and {b.shape}")
    batch = [string.ascii_lowercase[: rank - 2] for rank in ranks]
    return _contract(low, f"{batch[0]}xk,{batch[1]}ky", f"{max(batch, key=len)}xy", [a, b])


@rule("aten.addmm")
def _addmm(low, node, bias, a, b, beta=1, alpha=1):
    plain = isinstance(a, Value) and isinstance(b, Weight) and isinstance(bias, Weight) and (beta, alpha) == (1, 1)
    if not plain or len(bias.shape) != 1:
        raise PortError("addmm of a bias, a value and a matrix of weights")
    return dense(low, a, b, bias)


@rule("aten.einsum")
def _einsum(low, node, equation: str, operands: list, path=None):
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    if not arrow:
        counts = Counter(inputs.replace(",", "").replace(".", ""))
        out = ("..." if "..." in inputs else "") + "".join(sorted(c for c, n in counts.items() if n == 1))
    return _contract(low, inputs, out, operands)


def dense(low: Any, x: Value, kernel: Weight, bias: Weight | None) -> Value:
    shape, x = low.shape, low.whole(x)
    x = x if x.axes[-1] == x.ndim - 1 else low.as_source(x)
    layer = fc(kernel.shape[1], bias=bias is not None)
    return low.emit(layer, x, shape=shape, axes=x.axes, weights={"kernel": kernel, "bias": bias})


def _contract(low: Any, inputs: str, out: str, operands: list) -> Value:
    """A sum of products, of values in the layout that they have, or of a value and a weight."""
    terms, axes = inputs.split(","), identity_axes(len(low.shape))
    if all(isinstance(v, Value) for v in operands):
        values = [low.as_source(v) if "." in term else low.whole(v) for term, v in zip(terms, operands)]
        ours = [term if "." in term else "".join(term[a] for a in v.axes) for term, v in zip(terms, values)]
        return low.emit(word("contract")(equation=f"{','.join(ours)}->{out}"), *values, axes=axes)
    if len(operands) == 2 and isinstance(operands[0], Weight):
        operands, terms = operands[::-1], terms[::-1]
    if len(operands) != 2 or not isinstance(operands[0], Value) or not isinstance(operands[1], Weight):
        raise PortError(f"a sum of products of values, or of a value and a parameter, got {inputs}->{out}")
    (x, kernel), (left, right) = operands, terms
    if right[:-1] == left[-1:] and out == left[:-1] + right[-1:]:
        return dense(low, x, kernel, None)
    sizes = tuple(n for c, n in zip(right, kernel.shape) if c not in left)
    layer = word("einsum")(f"{left},{right}->{out}", sizes)
    return low.emit(layer, low.as_source(x), axes=axes, weights={"kernel": kernel})
