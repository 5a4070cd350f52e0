"""Tensors as polynomials of few terms, so that a formula is recognised however it was written.

`(x - m) * r * g + b` and `x * (r * g) + (b - m * (r * g))` are the same layer norm. A polynomial is a dict from a
monomial, a sorted tuple of atoms, to its coefficient. An atom is `("x", tensor)`, `("w", tensor)` of a weight, or a
function of a polynomial: `("mean", p, axes)`, `("rsqrt", p)`, `("erf", p)`, ...
"""

from __future__ import annotations

from typing import Any

import numpy as np

Poly = dict[tuple, float]
_MOST = 8

_OF_ONE = {
    "Rsqrt": "rsqrt", "Sqrt": "sqrt", "Erf": "erf", "Erfc": "erfc", "Tanh": "tanh", "Sigmoid": "sigmoid",
    "StopGradient": "stop", "Softplus": "softplus", "Relu6": "relu6",
}  # fmt: skip
MOVES = ("Squeeze", "Reshape", "ExpandDims")
_SAME = ("Identity", "Snapshot", "Cast", "PreventGradient", "CheckNumerics")


def frozen(p: Poly) -> frozenset:
    """A polynomial as part of an atom."""
    return frozenset(p.items())


def times(a: Poly, b: Poly) -> Poly:
    made: Poly = {}
    for m, c in a.items():
        for n, d in b.items():
            product = tuple(sorted((*m, *n), key=_order))
            made[product] = made.get(product, 0.0) + c * d
    return made


def _order(atom: tuple) -> tuple:
    return atom[0], atom[1] if isinstance(atom[1], str) else "", hash(atom)


def plus(a: Poly, b: Poly, by: float = 1.0) -> Poly:
    made = dict(a)
    for m, c in b.items():
        made[m] = made.get(m, 0.0) + by * c
    return {m: c for m, c in made.items() if c != 0}


class Polynomials(dict):
    """The polynomial of every tensor of a graph, as what reads it sees it; `formulas` has what it is made of.

    Args:
        ops: of the graph, in an order in which they can run.
        weights: the tensors that are weights, or weights in another shape.
        constant: for a tensor that depends on no data its value, else None.
        known: tensors of which it is known already what they are.
        is_layer: whether a polynomial, of a tensor of some shape, is a layer by itself.
    """

    def __init__(self, ops: list[Any], weights: set[str], constant: Any, known: Any, is_layer: Any):
        super().__init__()
        self.weights, self.constant = weights, constant
        self.formulas: dict[str, Poly] = {}
        self.layers: set[str] = set()
        averaged = {op.inputs[0].name for op in ops if op.type == "Mean"}
        for op in ops:
            made = None if any(t.name in known for t in op.outputs) else self._of(op)
            for t in op.outputs:
                centre = t.name in averaged and not self._squares(op)
                whole = made is None or len(made) > _MOST or centre or len(op.outputs) > 1
                if made is not None:
                    self.formulas[t.name] = made
                    self.layers |= {t.name} if op.type not in MOVES and is_layer(made, t.shape) else set()
                self[t.name] = {(("w" if t.name in weights else "x", t.name),): 1.0} if whole else made
                if t.name in weights and op.type in _SAME and op.inputs[0].name in weights:
                    self[t.name] = self[op.inputs[0].name]

    def _squares(self, op: Any) -> bool:
        """Whether the mean of what this makes is a variance, and not the mean of a value."""
        if op.type == "Mul":
            return self._read(op.inputs[0]) == self._read(op.inputs[1])
        return op.type in ("Square", "SquaredDifference", "Pow")

    def _of(self, op: Any) -> Poly | None:
        if op.outputs and op.outputs[0].name in self.weights:
            return None
        parts = [self._read(t) for t in op.inputs]
        if not any(p and all(atom[0] == "w" for m in p for atom in m) and set(p) != {()} for p in parts):
            whole = [(("x", t.name),) if t.name in self.layers else None for t in op.inputs]
            parts = [{m: 1.0} if m else p for m, p in zip(whole, parts)]  # but for a weight, nothing joins a layer
        a, b = (*parts, None, None)[:2]
        if a is None:
            return None
        if op.type in _SAME:
            return a if op.outputs[0].dtype.is_floating and op.inputs[0].dtype.is_floating else None
        if op.type in _OF_ONE:
            return {((_OF_ONE[op.type], frozen(a)),): 1.0}
        if op.type == "Neg":
            return times(a, {(): -1.0})
        if op.type == "Square":
            return times(a, a)
        if op.type == "Mean":
            axes = tuple(sorted(int(i) % op.inputs[0].shape.rank for i in np.ravel(self.constant(op.inputs[1]))))
            first = axes == tuple(range(len(axes)))  # what is left broadcasts as it would with axes of length 1
            return {(("mean", frozen(a), axes),): 1.0} if first or op.get_attr("keep_dims") else None
        if op.type in MOVES:
            return a if _broadcasts(op.inputs[0].shape, op.outputs[0].shape) and not self._plain(a) else None
        return None if b is None else self._of_two(op, a, b)

    def _of_two(self, op: Any, a: Poly, b: Poly) -> Poly | None:
        kind = op.type
        if kind in ("AddV2", "Add", "BiasAdd"):
            return None if _loose(a, b) or self._biased(op) else plus(a, b)
        if kind == "Sub":
            return None if _loose(a, b) else plus(a, b, -1.0)
        if kind == "Mul":
            return times(a, b)
        if kind == "SquaredDifference":
            d = plus(a, b, -1.0)
            return times(d, d)
        if kind == "RealDiv":
            return _divided(a, b)
        if kind == "Pow" and set(b) == {()}:
            return {2.0: times(a, a), 3.0: times(a, times(a, a)), -0.5: {(("rsqrt", frozen(a)),): 1.0}}.get(b[()])
        return None

    def _read(self, tensor: Any) -> Poly | None:
        value = self.constant(tensor)
        if value is None:
            return self[tensor.name]
        if value.size == 1 and value.dtype.kind == "f":
            return {(): float(value.ravel()[0])} if value.ravel()[0] else {}
        return None

    def _plain(self, p: Poly) -> bool:
        """Whether this is a tensor by itself, of which it is known no better what it is."""
        return all(len(m) == 1 and m[0][0] == "x" for m in p)

    def _biased(self, op: Any) -> bool:
        """Whether this adds a weight to a product, which is that layer's bias."""
        product = op.inputs[0].op.type
        return any(t.name in self.weights for t in op.inputs) and (
            "MatMul" in product or "Conv" in product or product in ("Einsum", "Reshape", "Squeeze")
        )


def _broadcasts(before: Any, after: Any) -> bool:
    """Whether only axes of length 1 were put before the others, or taken from there."""
    if not (before.is_fully_defined() and after.is_fully_defined()):
        return False
    few, many = sorted((before.as_list(), after.as_list()), key=len)
    return len(few) > 0 and many == [1] * (len(many) - len(few)) + few


def _loose(a: Poly, b: Poly) -> bool:
    """Whether a sum is one of different data, as around a residual block, and of nothing else."""
    atoms = {atom for p in (a, b) for m in p for atom in m}
    return len(atoms) > 1 and all(atom[0] == "x" for atom in atoms)


def _divided(a: Poly, b: Poly) -> Poly | None:
    if set(b) == {()}:
        return times(a, {(): 1 / b[()]})
    if len(b) == 1:
        ((monomial, factor),) = b.items()
        if len(monomial) == 1 and monomial[0][0] == "sqrt":
            return times(a, {(("rsqrt", monomial[0][1]),): 1 / factor})
    return None
