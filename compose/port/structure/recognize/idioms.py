"""Operations in a row that one word says: what a framework's builders write out because they have no such word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from compose.core.layer import Layer
from compose.layers.activation.basic import hard_sigmoid, relu6
from compose.layers.conv.conv import conv, depthwise_conv, separable_conv
from compose.layers.pad import pad
from compose.layers.take import add_constant, scale
from compose.port.ir.graph import Op


def in_fewer_words(ops: list[Op], output: int) -> list[Op]:
    """The operations with each idiom as one, where nothing reads a value within it."""
    uses = Counter(v for op in ops for v in op.inputs)
    uses[output] += 1
    calls = Counter(take.source for op in ops for take in op.takes())
    for length, said in _IDIOMS:
        made: dict[int, Op] = {}  # by the value it makes, in turn
        for op in ops:
            made[op.output] = op
            row = [op]
            while len(row) < length and len(row[0].inputs) == 1 and uses[row[0].inputs[0]] == 1:
                before = made.get(row[0].inputs[0])
                if before is None:
                    break
                row.insert(0, before)
            layer = said(*(part.layer for part in row)) if len(row) == length else None
            if any(calls[take.source] > 1 for take in op.takes()):
                continue  # its other calls may have another neighbour
            if layer is not None:
                for part in row:
                    del made[part.output]
                made[op.output] = replace(op, layer=layer, inputs=row[0].inputs)
        ops = list(made.values())
    return ops


def _padded(before: Layer, over: Layer) -> Layer | None:
    """Zeros around the input of a window that adds none: the window's own padding."""
    if not isinstance(before, pad) or not isinstance(over, (conv, depthwise_conv, separable_conv)):
        return None
    plain = before.mode == "constant" and not before.value and before.channels_first == over.channels_first
    widths = before.widths if isinstance(before.widths, tuple) else (before.widths,)
    pairs = {w if isinstance(w, tuple) else (w, w) for w in widths}
    if not plain or over.padding not in ("valid", 0) or any(min(pair) < 0 for pair in pairs):
        return None
    first, last = min(pairs)
    return over.but(padding=first if len(pairs) == 1 and first == last else before.widths)


def _gate(shift: Layer, clip: Layer, by: Layer) -> Layer | None:
    known = shift == add_constant(value=3.0) and clip == relu6 and by == scale(by=1 / 6)
    return hard_sigmoid if known else None


_IDIOMS: list[tuple[int, Callable[..., Layer | None]]] = [(2, _padded), (3, _gate)]
