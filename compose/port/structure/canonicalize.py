"""Canonical form of the list of operations, before its structure is recovered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compose.combinators import add, collect, identity, multiply
from compose.core.errors import PortError
from compose.core.function import Function
from compose.core.layer import Layer
from compose.layers.activation import basic, slopes, smooth, softmax
from compose.layers.conv.conv import conv
from compose.layers.dropout import dropout
from compose.layers.pool.global_pool import global_avg_pool, global_max_pool
from compose.layers.shape import flatten
from compose.layers.take import at
from compose.port.ir.graph import Body, Op, SourceGraph
from compose.port.ir.weights import Constant, View
from compose.port.structure.recognize import recognize

_ACTIVATIONS = {family.__name__ for family in (basic, slopes, smooth, softmax)}


def canonicalize(
    graph: SourceGraph | Body, inputs: Mapping[int, Any] | None = None, apart: frozenset[tuple] = frozenset()
) -> tuple[list[Op], int]:
    """The operations that the output depends on, in canonical form, and the one value that they compute.

    Args:
        inputs: the abstract values of the graph's inputs, where they are known.
        apart: the weights that other graphs read too, whose layers stay as they are.
    """
    _check(graph)
    ops, output = _single_output([_shortest(op) for op in graph.ops], graph.outputs)
    ops, output = _without_identities(ops, output)
    ops = recognize(_nested_concats(_live(ops, output)), output, inputs or {})
    ops, output = _without_identities(ops, output)
    ops = _padded_alike(_live(ops, output))
    apart |= _read_by_several(ops)
    ops = [replace(op, bodies=tuple(_body(body, apart) for body in op.bodies)) if op.bodies else op for op in ops]
    return _merged(ops, output, apart), output


def _body(body: Body, apart: frozenset[tuple]) -> Body:
    ops, output = canonicalize(body, None, apart)
    return Body(body.inputs, tuple(ops), output)


def _read_by_several(ops: list[Op]) -> frozenset[tuple]:
    """The weights that a branch of a choice reads, and another graph."""
    graphs = [[op for op in ops if not op.bodies], *(body.ops for op in ops for body in op.bodies)]
    read = Counter(part for graph in graphs for part in {_part(view) for op in graph for view in op.views()})
    return frozenset(part for part, times in read.items() if times > 1)


def _check(graph: SourceGraph | Body) -> None:
    known = set(graph.inputs)
    for op in graph.ops:
        missing = [v for v in op.inputs if v not in known]
        if missing or not op.inputs:
            raise PortError(f"{op.layer} at {'/'.join(op.path)} reads values not computed before it: {missing}")
        known.add(op.output)


def _shortest(op: Op) -> Op:
    """The operation with defaults where they compute the same."""
    layer = op.layer
    if isinstance(layer, conv) and layer.kernel in (1, (1,), (1, 1), (1, 1, 1)):
        layer = layer.but(padding="same") if layer.padding in ("valid", 0) else layer  # a window of one pads nothing
    return replace(op, layer=layer)


def _padded_alike(ops: list[Op]) -> list[Op]:
    """Padding as a number where strided windows of that size have one, so that blocks differ in their stride alone."""
    strided = Counter(op.layer.kernel for op in ops if isinstance(op.layer, conv) and _half(op.layer))
    often = {kernel for kernel, n in strided.items() if n > 1}

    def padded(op: Op) -> Op:
        over = op.layer
        if not isinstance(over, conv) or not isinstance(over.kernel, int) or over.kernel not in often:
            return op
        same = over.padding == "same" and over.stride == over.dilation == 1
        return replace(op, layer=over.but(padding=over.kernel // 2)) if same else op

    return list(map(padded, ops))


def _half(over: conv) -> bool:
    """Whether a strided window of odd size is padded by half of it."""
    size = over.kernel
    if not isinstance(size, int):
        return False
    return size % 2 == 1 < size and over.padding == size // 2 and 1 == over.dilation != over.stride


def _single_output(ops: list[Op], outputs: Any) -> tuple[list[Op], int]:
    """Several outputs are collected by one operation."""
    if not isinstance(outputs, (tuple, list)):
        return ops, outputs
    parts = []
    for part in outputs:
        ops, value = _single_output(ops, part)
        parts.append(value)
    value = 1 + max((op.output for op in ops), default=0)
    value = max(value, *(v + 1 for v in parts))
    return [*ops, Op(collect, tuple(parts), value)], value


def _without_identities(ops: list[Op], output: int) -> tuple[list[Op], int]:
    """Without operations that change nothing: the identity, dropout at rate 0, a sum or concatenation of one."""
    source: dict[int, int] = {}
    kept = []
    for op in ops:
        op = replace(op, inputs=tuple(source.get(v, v) for v in op.inputs))
        unchanged = op.layer in (identity, add, multiply) or op.layer.kind == "concat"
        unchanged = unchanged or (isinstance(op.layer, dropout) and op.layer.rate == 0)
        if unchanged and len(op.inputs) == 1:
            source[op.output] = op.inputs[0]
        else:
            kept.append(op)
    return kept, source.get(output, output)


def _live(ops: list[Op], output: int) -> list[Op]:
    """The operations that the output depends on."""
    wanted, kept = {output}, []
    for op in reversed(ops):
        if op.output in wanted:
            kept.append(op)
            wanted.update(op.inputs)
    return kept[::-1]


def _nested_concats(ops: list[Op]) -> list[Op]:
    """`concat(a, b, c)` after `concat(a, b)` becomes `concat(concat(a, b), c)`, as in a DenseNet."""
    before: dict[tuple[Layer, tuple[int, ...]], int] = {}  # a concatenation and its value
    nested: list[Op] = []
    paths = {op.output: op.path for op in ops}
    for op in ops:
        if op.layer.kind == "concat" and isinstance(op.layer, Function):
            whole, last = op.inputs, op.inputs[-1]
            start = before.get((op.layer, whole[:-1]))
            before[op.layer, whole] = op.output
            if len(whole) == 2:
                before.setdefault((op.layer, whole[:1]), whole[0])
            if start is not None and len(whole) > 2:
                op = replace(op, inputs=(start, last))
            if start is not None or len(whole) == 2:
                path = _common(op.path, paths.get(last, op.path))
                op = replace(op, path=path, classes=op.classes[: len(path)])
        nested.append(op)
    return nested


def _merged(ops: list[Op], output: int, apart: frozenset[tuple]) -> list[Op]:
    """Operations that one layer computes together: an activation becomes the argument of the layer before it.

    Only where nothing else reads the value between, and where each run of a shared layer is followed by the same one.
    """
    merged = _joined(ops, output, apart)
    layers: dict[tuple, set[Layer]] = defaultdict(set)
    for op in merged:
        for view in (t for t in op.views() if not isinstance(t, Constant)):
            layers[_part(view)].add(op.layer)
    differ = frozenset(part for part, of in layers.items() if len(of) > 1)
    return _joined(ops, output, apart | differ) if differ else merged


def _joined(ops: list[Op], output: int, apart: frozenset[tuple]) -> list[Op]:
    """Operations merged with what follows them, except those on the weights in `apart`."""
    uses = Counter(v for op in ops for v in op.inputs)
    uses[output] += 1
    place: dict[int, int] = {}
    merged: list[Op] = []
    for op in ops:
        i = place.get(op.inputs[0]) if len(op.inputs) == 1 else None
        free = i is not None and uses[merged[i].output] == 1 and not any(_part(t) in apart for t in merged[i].views())
        both = _together(merged[i], op) if i is not None and free else None
        if i is not None and both is not None:
            merged[i], place[op.output] = both, i
        else:
            place[op.output] = len(merged)
            merged.append(op)
    return merged


def _part(view: View) -> tuple:
    return view.source, view.rows, view.columns


_POOLED = {pool(keepdims=True): pool for pool in (global_avg_pool, global_max_pool)}


def _together(before: Op, op: Op) -> Op | None:
    """Both operations as one, or None."""
    if before.layer in _POOLED and op.layer == flatten:
        return replace(before, layer=_POOLED[before.layer], output=op.output)
    if isinstance(before.layer, at) and isinstance(op.layer, at):
        index = _one_index(before.layer.index, op.layer.index)
        return None if index is None else replace(before, layer=at(index), output=op.output)
    if not _takes(before, op):
        return None
    weights = dict(before.weights) | {f"activation/{k}": v for k, v in op.weights.items()}
    return replace(before, layer=before.layer.but(activation=op.layer), weights=weights, output=op.output)


def _one_index(first: str, second: str) -> str | None:
    """`:, ::2` and then `:, :, 1::2` as `:, ::2, 1::2`, where both are slices, of different axes."""
    a, b = ([part.strip() for part in index.split(",")] for index in (first, second))
    if not all(":" in part for part in (*a, *b)):
        return None
    padded = lambda parts: [*parts, *[":"] * (max(len(a), len(b)) - len(parts))]
    pairs = list(zip(padded(a), padded(b)))
    return ", ".join(y if x == ":" else x for x, y in pairs) if all(":" in pair for pair in pairs) else None


def _takes(before: Op, op: Op) -> bool:
    """Whether `op` is an activation in the same module as a layer that has none yet."""
    free = getattr(before.layer, "activation", None) == identity
    return free and is_activation(op.layer) and op.path[: len(before.path) - 1] == before.path[:-1] and (
        len(op.path) <= len(before.path)
    )  # fmt: skip


def is_activation(layer: Layer) -> bool:
    return (layer.fn if isinstance(layer, Function) else type(layer)).__module__ in _ACTIVATIONS


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]
