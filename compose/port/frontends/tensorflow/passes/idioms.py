"""Layers that TensorFlow has no operation for, recognised by their formula.

Norms stay here because TensorFlow multiplies their scale into the root, and because those of training batches hold
moving averages that only the graph's assignments show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from compose.core.registry import word
from compose.port.frontends.tensorflow.passes.polynomials import Poly, frozen, plus, times


@dataclass(frozen=True)
class Idiom:
    """A layer that stands for several operations: what it reads, and the tensors of its weights and state."""

    layer: Any
    x: str
    weights: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.x, *self.weights.values(), *self.state.values())


@dataclass(frozen=True)
class Average:
    """A moving average that training makes: `keep` of the variable, and the rest of what was seen."""

    variable: str
    keep: float
    seen: Poly


def average(variable: str, p: Poly) -> Average | None:
    """What a variable's new value is an average of."""
    keep = p.get((("w", variable),), 0.0)
    if not 0 <= keep < 1:
        return None
    rest: Poly = {}
    for monomial, factor in p.items():
        if monomial != (("w", variable),):
            inside = dict(monomial[0][1]) if len(monomial) == 1 and monomial[0][0] == "stop" else {monomial: 1.0}
            rest = plus(rest, inside, factor / (1 - keep))
    return Average(variable, float(f"{keep:.12g}"), rest)


def idiom(p: Poly, shape: Any, averages: Sequence[Average] = ()) -> Idiom | None:
    """The layer that a polynomial is, for a tensor of this shape."""
    atoms = {atom for monomial in p for atom in monomial}
    xs = [atom for atom in atoms if atom[0] == "x"]
    if len(xs) != 1 or len(p) > 5:
        return None
    x = xs[0]
    roots = [atom for atom in atoms if atom[0] == "rsqrt"]
    if len(roots) == 1:
        return _norm(p, x, roots[0], shape, averages)
    return _gelu(p, x) if not roots else None


def _gelu(p: Poly, x: tuple) -> Idiom | None:
    """`x · erfc(-x / √2) / 2`, as `tf.nn.gelu` is computed; `erfc` has no word."""
    curve = (("erfc", frozen({(x,): -math.sqrt(0.5)})),)
    return Idiom(word("gelu"), x[1]) if _close(p, times({(x,): 0.5}, {curve: 1.0})) else None


def _norm(p: Poly, x: tuple, root: tuple, shape: Any, averages: Sequence[Average]) -> Idiom | None:
    """`x·r·scale - mean·r·scale + bias` with `r = rsqrt(variance + epsilon)`."""
    inside = dict(root[1])
    epsilon = inside.pop((), 0.0)
    scaled = [m for m in p if x in m]
    if len(scaled) != 1 or not _is(p[scaled[0]], 1) or epsilon <= 0:
        return None
    factors = [atom for atom in scaled[0] if atom not in (x, root)]
    if len(scaled[0]) != 2 + len(factors) or len(factors) > 1 or any(f[0] != "w" for f in factors):
        return None
    rest = {m: c for m, c in p.items() if m != scaled[0]}
    centre = [m for m in rest if root in m]
    biases = [m for m in rest if root not in m]
    if len(centre) > 1 or len(biases) > 1 or any(len(m) != 1 or m[0][0] != "w" or not _is(rest[m], 1) for m in biases):
        return None
    weights = {"scale": factors[0][1]} if factors else {}
    weights |= {"bias": biases[0][0][1]} if biases else {}
    left = [list(m) for m in centre]
    for atoms in left:
        for atom in (root, *factors):
            if atom not in atoms:
                return None
            atoms.remove(atom)
    if left and (len(left[0]) != 1 or not _is(rest[centre[0]], -1)):
        return None
    return _which(x, inside, epsilon, left[0][0] if left else None, weights, shape, averages)


def _which(
    x: tuple, variance: Poly, epsilon: float, mean: Any, weights: dict[str, str], shape: Any, averages: Any
) -> Idiom | None:
    rank = len(shape)
    options: dict[str, Any] = {"epsilon": epsilon}
    has = {"scale": "scale" in weights, "bias": "bias" in weights}
    one = {(x,): 1.0}
    if mean is not None and mean[0] == "w":
        if len(variance) != 1:
            return None
        ((monomial, factor),) = variance.items()
        if len(monomial) != 1 or monomial[0][0] != "w" or not _is(factor, 1):
            return None
        return Idiom(word("batch_norm")(**options, **has), x[1], weights, {"mean": mean[1], "var": monomial[0][1]})
    axes = next((atom[2] for m in variance for atom in m if atom[0] == "mean"), ())
    count = len(axes)
    if rank > 1 and axes == tuple(range(rank - 1)):
        known = mean is not None and mean == ("mean", frozen(one), axes) and _spread(variance, x, axes)
        return _by_batch(x, variance, mean, weights, options | has, shape, averages) if known else None
    if not count or axes != tuple(range(rank - count, rank)):
        return None
    options |= {"axes": count} if count > 1 else {}
    if mean is None:
        square = {(("mean", frozen(times(one, one)), axes),): 1.0}
        same = _close(variance, square) and not has["bias"]
        return Idiom(word("rms_norm")(**options, scale=has["scale"]), x[1], weights) if same else None
    known = mean == ("mean", frozen(one), axes) and _spread(variance, x, axes)
    return Idiom(word("layer_norm")(**options, **has), x[1], weights) if known else None


def _spread(variance: Poly, x: tuple, axes: tuple) -> bool:
    """Whether this is the variance of a tensor along these axes, however it was written."""
    one = {(x,): 1.0}
    mean = lambda q: {(("mean", frozen(q), axes),): 1.0}
    m = mean(one)
    stopped = {(("stop", frozen(m)),): 1.0}
    forms = [mean(times(d, d)) for d in (plus(one, m, -1.0), plus(one, stopped, -1.0))]
    return any(_close(variance, form) for form in [*forms, plus(mean(times(one, one)), times(m, m), -1.0)])


def _by_batch(x, variance, mean, weights, options, shape, averages) -> Idiom:
    """Batch norm in training; its state are the variables that average what it normalises by."""
    count = math.prod(shape[:-1])
    unbiased = times(variance, {(): count / max(count - 1, 1)})
    for of_mean in averages:
        for of_var in averages:
            kinds = [_close(of_var.seen, form) for form in (variance, unbiased)]
            if _close(of_mean.seen, {(mean,): 1.0}) and any(kinds) and _is(of_mean.keep, of_var.keep):
                options |= {"momentum": of_mean.keep} | ({} if kinds[0] else {"unbiased": True})
                state = {"mean": of_mean.variable, "var": of_var.variable}
                return Idiom(word("batch_norm")(**options), x[1], weights, state)
    return Idiom(word("batch_norm")(**options), x[1], weights)


def _is(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9)


def _close(a: Any, b: Any) -> bool:
    """Whether two polynomials are the same up to rounding, also inside their atoms."""
    if isinstance(a, (dict, frozenset)) and isinstance(b, (dict, frozenset)):
        left, right = list(dict(a).items()), list(dict(b).items())
        if len(left) != len(right):
            return False
        for monomial, factor in left:
            found = next((r for r in right if _is(factor, r[1]) and _close(monomial, r[0])), None)
            if found is None:
                return False
            right.remove(found)
        return True
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_close, a, b))
    return a == b


def log_sum(op: Any) -> tuple[Any, Any, bool] | None:
    """What `log(sum(exp(x - m))) + m` is of, m held constant to the gradient: x, the axes, and whether they stay."""
    first = lambda t, *kinds: t.op.inputs[0] if t.op.type in kinds else t
    if op.type not in ("AddV2", "Add"):
        return None
    for logs, most in ((op.inputs[0], op.inputs[1]), (op.inputs[1], op.inputs[0])):
        kept = logs.op.type == "Log"
        parts = [first(logs, "Reshape", "Squeeze")]
        for kind in ("Log", "Sum", "Exp", "Sub"):
            if parts[-1].op.type != kind:
                break
            parts.append(parts[-1].op.inputs[0])
        if len(parts) == 5:
            total, difference = parts[1].op, parts[3].op
            held = first(most, "Reshape", "Squeeze")
            if held.name == difference.inputs[1].name and held.op.type == "StopGradient":
                return parts[4], total.inputs[1], kept and total.get_attr("keep_dims")
    return None
