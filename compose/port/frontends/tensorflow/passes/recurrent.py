"""Recurrent cells known by what one step computes, however it was written: of random numbers, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.frontends.tensorflow.passes.idioms import Idiom
from compose.port.frontends.tensorflow.passes.loops import Loop
from compose.port.frontends.tensorflow.values import Weight
from compose.port.ir.weights import View

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class Recurrent(Idiom):
    """A recurrent layer over a sequence that has time first.

    Attributes:
        takes: its weights.
        sequence: the tensor of all its outputs.
        last: whether this is the last output alone.
    """

    views: dict[str, Weight] = field(default_factory=dict)
    sequence: str = ""
    last: bool = False


@dataclass(frozen=True)
class _Part:
    """An array of a cell: the variable, which of its rows, and its value in the trial."""

    variable: Any
    rows: tuple[int, int] | None
    array: np.ndarray


def recurrent(loop: Loop, facts: Any) -> dict[str, Recurrent]:
    """The layer that a loop is, for each tensor that is one of its outputs; nothing for a loop of another kind."""
    trial = _Trial.of(loop, facts)
    found = None if trial is None else next(trial.matches(), None)
    if found is None:
        return {}
    layer, views, state = found
    outputs = loop.carries[state][1:]
    own = lambda op: op.name.startswith(f"{loop.name}>")
    readers: dict[str, list[Any]] = {}
    for op in facts.ops:
        for t in op.inputs:
            readers.setdefault(t.name, []).append(op)
    stacks = [op for op in readers.get(outputs[0], []) if op.type == "Pack"]
    stacks = [op for op in stacks if [t.name for t in op.inputs] == [*outputs] and op.get_attr("axis") == 0]
    others = [name for i, c in enumerate(loop.carries) for name in c[1:] if i != state or name != outputs[-1]]
    inside = all(own(op) or op in stacks for name in others for op in readers.get(name, []))
    if not inside or set(others) & set(facts.exact.outputs):
        return {}
    sequence = stacks[0].outputs[0].name if stacks else ""
    made = Recurrent(layer, loop.x, views=views, sequence=sequence, last=True)
    every = {op.outputs[0].name: Recurrent(layer, loop.x, views=views, sequence=sequence) for op in stacks}
    return {outputs[-1]: made, **every}


class _Trial:
    """One step on random numbers: what went in and what came out."""

    def __init__(self, x, before, after, weights):
        self.x, self.before, self.after, self.weights = x, before, after, weights
        self.size = before[0].shape[1]

    @classmethod
    def of(cls, loop: Loop, facts: Any) -> _Trial | None:
        """None for a step that reads other data, starts from anything but zeros, or carries anything but rows."""
        tensor = facts.graph.get_tensor_by_name
        starts = [facts.constant(tensor(c[0])) for c in loop.carries]
        if any(s is None or s.ndim != 2 or np.any(s) for s in starts) or len({s.shape for s in starts}) != 1:
            return None
        step = len(loop.parts) - 1
        reads = [loop.parts[step], *(c[step] for c in loop.carries)]
        ends = [c[step + 1] for c in loop.carries]
        weights = _weights(facts, ends, set(reads))
        if weights is None:
            return None
        rng = np.random.default_rng(0)
        feeds = {name: 0.5 * rng.normal(size=tensor(name).shape.as_list()) for name in reads}
        held = {name: 0.5 * rng.normal(size=facts.variables[name].array.shape) for name in weights}
        after = facts.known.session.run(ends, feeds | held)
        few = lambda a: a[:4]
        x, *before = (few(feeds[name]) for name in reads)
        return cls(x, before, [few(a) for a in after], [(facts.variables[n], a) for n, a in held.items()])

    def matches(self) -> Iterator[tuple[Any, dict[str, Weight], int]]:
        """The layers that compute the same, their weights, and which state is the output."""
        for kind, gates in _GATES.items():
            if len(self.before) == (2 if kind == "lstm" else 1):
                for kernels in self._kernels(gates * self.size):
                    for biases in self._biases(gates * self.size, {id(part.variable) for part in kernels}):
                        yield from self._matched(kind, kernels, biases)

    def _kernels(self, wide: int) -> Iterator[tuple[_Part, _Part]]:
        """Pairs of the input's and the output's kernel: two arrays, or the rows of one."""
        n, size = self.x.shape[1], self.size
        for (v, a), (u, b) in permutations([pair for pair in self.weights if pair[1].ndim == 2], 2):
            if a.shape == (n, wide) and b.shape == (size, wide):
                yield _Part(v, None, a), _Part(u, None, b)
        for v, a in self.weights:
            if a.shape == (n + size, wide):
                yield _Part(v, (0, n), a[:n]), _Part(v, (n, n + size), a[n:])
                yield _Part(v, (size, n + size), a[size:]), _Part(v, (0, size), a[:size])

    def _biases(self, wide: int, kernels: set[int]) -> Iterator[list[_Part]]:
        """The other arrays: one bias, two of them, or both in one array."""
        rest = [(v, a) for v, a in self.weights if id(v) not in kernels]
        rows = [_Part(v, None, a) for v, a in rest if a.shape == (wide,)]
        rows += [_Part(v, (i, i + 1), a[i]) for v, a in rest if a.shape == (2, wide) for i in range(2)]
        yield rows
        if len(rows) == 2:
            yield rows[::-1]

    def _matched(self, kind: str, kernels: tuple[_Part, _Part], biases: list[_Part]) -> Iterator[Any]:
        used = {id(p.variable) for p in (*kernels, *biases)}
        if len(biases) > 2 or len(used) != len(self.weights):
            return
        names = ["kernel", "recurrent_kernel", "bias", "recurrent_bias"]
        parts = dict(zip(names, [*kernels, *biases]))
        for layer in _layers(kind, self.size, len(biases)):
            for order in permutations(range(_GATES[kind])):
                p = {name: _reordered(part.array, self.size, order) for name, part in parts.items()}
                for state in range(len(self.before)):
                    flip = -1 if state else 1
                    made = _step(kind, layer, p, self.x, self.before[::flip])
                    if all(np.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(made, self.after[::flip])):
                        yield layer, {k: _taken(part, self.size, order) for k, part in parts.items()}, state


def _weights(facts: Any, ends: list[str], reads: set[str]) -> list[str] | None:
    """The variables that these depend on besides; None where they depend on other data."""
    seen, stack, made = set(reads), list(ends), []
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in facts.variables:
            made.append(name)
        elif name.rpartition(":")[0] in facts.exact.inputs:
            return None
        else:
            stack += [t.name for t in facts.graph.get_tensor_by_name(name).op.inputs]
    return made


def _layers(kind: str, size: int, biases: int) -> list[Any]:
    plain = word(kind)(size, bias=biases > 0)
    if kind == "gru":
        after = plain.but(recurrent_bias=biases == 2)
        return [after] if biases == 2 else [after, after.but(reset_after=False)]
    plain = plain.but(recurrent_bias=biases == 2)
    acts = ("tanh", "relu", "sigmoid") if kind == "rnn" else ("tanh",)
    return [plain.but(activation=word(name)) for name in acts]


def _step(kind: str, layer: Any, p: dict[str, np.ndarray], x: np.ndarray, before: list[np.ndarray]) -> list[np.ndarray]:
    """One step of our layer, its output first."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    act = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0), "sigmoid": sigmoid}[layer.activation.kind]
    h = before[0]
    z = x @ p["kernel"] + p.get("bias", 0)
    u = h @ p["recurrent_kernel"] + p.get("recurrent_bias", 0)
    if kind == "rnn":
        return [act(z + u)]
    if kind == "lstm":
        i, f, g, o = np.split(z + u, 4, -1)
        c = sigmoid(f) * before[1] + sigmoid(i) * act(g)
        return [sigmoid(o) * act(c), c]
    (a, b, n), (d, e, m) = np.split(z, 3, -1), np.split(u, 3, -1)
    r, update = sigmoid(a + d), sigmoid(b + e)
    m = r * m if layer.reset_after else (r * h) @ p["recurrent_kernel"][:, 2 * h.shape[1] :]
    n = act(n + m)
    return [n + update * (h - n)]


def _reordered(array: np.ndarray, size: int, order: tuple[int, ...]) -> np.ndarray:
    return array.reshape(*array.shape[:-1], -1, size)[..., order, :].reshape(array.shape)


def _taken(part: _Part, size: int, order: tuple[int, ...]) -> Weight:
    """The array with its gates in our order."""
    v, shape = part.variable, part.array.shape
    if order == tuple(range(len(order))):
        flat = part.rows is not None and part.array.ndim == 1
        return Weight(View(v.name, rows=part.rows, shape=shape if flat else None), shape, v.trained)
    split = (*shape[:-1], len(order), size)
    view = View(v.name, rows=part.rows, split=split, order=(len(shape) - 1, order), shape=shape, note="gates reordered")
    return Weight(view, shape, v.trained)
