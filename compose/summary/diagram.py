"""`diagram`: a network drawn as boxes and arrows, as Mermaid text and as SVG."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from compose.atomic import replacing
from compose.combinators.branch import add, collect, identity, multiply
from compose.combinators.repeat import repeat
from compose.combinators.share import Shared, share
from compose.core.combinator import Combinator
from compose.core.errors import ConfigError, shape_text
from compose.core.layer import Layer
from compose.core.plan import Plan, plan
from compose.core.run import abstract, without_batch
from compose.summary.brief import brief, is_leaf
from compose.summary.rows import chain
from compose.summary.table import one_example

MOST_BOXES = 60  # in an overview that shows every layer
JOINS: dict[Layer, str] = {add: "+", multiply: "×"}


@dataclass(frozen=True)
class Box:
    """A layer, a join, an input or an output.

    Attributes:
        label: what it is.
        shape: the shape of its output.
        kind: `"layer"`, `"join"`, `"input"` or `"output"`.
        path: of a layer.
        frames: the numbers of the frames that it is in, outermost first.
    """

    label: str
    shape: str
    kind: str
    path: str = ""
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, repr=False)
class Diagram:
    """A network as boxes and arrows. Its text is Mermaid; notebooks show it as SVG.

    Attributes:
        boxes: the inputs, the layers in the order in which they run, and the output.
        arrows: the values between them, as pairs of numbers of boxes.
        frames: what is written on the frames around repeated blocks.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]
    frames: tuple[str, ...]

    @property
    def mermaid(self) -> str:
        """The text of a Mermaid flowchart, which GitHub and many notebooks draw."""
        return "\n".join(["flowchart TB", *self._boxes(()), *(f"  n{a} --> n{b}" for a, b in self.arrows)])

    @property
    def svg(self) -> str:
        """An SVG image that needs nothing else."""
        from compose.summary.svg import draw

        return draw(self)

    def save(self, path: str | os.PathLike) -> None:
        """Write the image to `"net.svg"`, or the text to `"net.mmd"`. Raises `ConfigError` for another ending."""
        ending = os.path.splitext(os.fspath(path))[1]
        if ending not in (".svg", ".mmd"):
            raise ConfigError("a file that ends in .svg or .mmd", os.fspath(path))
        with replacing(path) as file:
            file.write((self.svg if ending == ".svg" else f"{self.mermaid}\n").encode())

    def __str__(self) -> str:
        return self.mermaid

    __repr__ = __str__

    def _repr_svg_(self) -> str:
        return self.svg

    def _boxes(self, within: tuple[int, ...]) -> Iterator[str]:
        """The lines of the boxes in a frame, and of the frames in it."""
        indent, opened = "  " * (1 + len(within)), set()
        for i, box in enumerate(self.boxes):
            if box.frames == within:
                yield f"{indent}n{i}{_mermaid_box(box)}"
            elif box.frames[: len(within)] == within and (frame := box.frames[len(within)]) not in opened:
                opened.add(frame)
                yield f'{indent}subgraph f{frame}["{_escaped(self.frames[frame])}"]'
                yield from self._boxes((*within, frame))
                yield f"{indent}end"


def diagram(net: Layer, *inputs: Any, depth: int | None = None) -> Diagram:
    """See `Layer.diagram`."""
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise ConfigError("depth to be an integer of at least 0, or None", repr(depth))
    planned = plan(net, abstract(inputs))
    drawing = _Drawing(depth, int(without_batch(inputs)))
    x = jax.tree.map(lambda spec: drawing.value("input", "input", spec), planned.x)
    for wire in jax.tree.leaves(drawing.run(planned, x, _Place())):
        drawing.arrows.append((wire.box, drawing.value("output", "output", wire.spec).box))
    return Diagram(tuple(drawing.boxes), tuple(drawing.arrows), tuple(drawing.frames))


def overview(net: Layer, inputs: Any) -> Diagram:
    """The diagram of a network for abstract inputs with a batch axis; of its outermost layers only if it has many."""
    drawing = diagram(net, *one_example(inputs))
    return drawing if len(drawing.boxes) <= MOST_BOXES else diagram(net, *one_example(inputs), depth=1)


class _Wire:
    """A value on its way: which box it comes from, and its shape, which combinators look at."""

    def __init__(self, box: int, spec: Any):
        self.box, self.spec, self.shape, self.dtype, self.ndim = box, spec, spec.shape, spec.dtype, len(spec.shape)


class _Place(NamedTuple):
    """Where in the network: the path, how deep, in which frames, and the layers shared around there."""

    path: str = ""
    depth: int = 0
    frames: tuple[int, ...] = ()
    scope: tuple[Plan, ...] = ()


class _Drawing:
    """Walks over a plan; every combinator routes wires as it routes arrays."""

    def __init__(self, depth: int | None, skip: int):
        self.depth, self.skip = depth, skip
        self.boxes: list[Box] = []
        self.arrows: list[tuple[int, int]] = []
        self.frames: list[str] = []
        self.used: list[Plan] = []  # shared layers that are drawn already

    def value(self, label: str, kind: str, spec: Any) -> _Wire:
        """Draw what has one array as its output."""
        return self.box(label, kind, (), spec, _Place())

    def box(self, label: str, kind: str, x: Any, out: Any, at: _Place) -> Any:
        """Draw a box and the arrows to it; the wires of its output."""
        cut = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape[self.skip :], s.dtype), out)
        self.boxes.append(Box(label, shape_text(cut), kind, at.path, at.frames))
        here = len(self.boxes) - 1
        self.arrows += [(wire.box, here) for wire in jax.tree.leaves(x)]
        return jax.tree.map(lambda spec: _Wire(here, spec), out)

    def run(self, planned: Plan, x: Any, at: _Place) -> Any:
        """Draw what a layer does with wires; the wires of its output."""
        around = chain(planned)
        layer, parts = around[-1].layer, dict(around[-1].parts)
        if planned.layer in (collect, identity):
            return x
        if planned.layer in JOINS:
            return self.box(JOINS[planned.layer], "join", x, planned.out, at)
        whole = self.depth is not None and at.depth >= self.depth
        if whole or is_leaf(around[-1]) or not isinstance(layer, (Combinator, share)):
            return self.box(self._label(around, at), "layer", x, planned.out, at)
        for inner in around:
            if isinstance(inner.layer, repeat):
                self.frames.append(f"{inner.times} ×")
                at = at._replace(frames=(*at.frames, len(self.frames) - 1))
        if isinstance(layer, share):
            (_, held), (key, body) = around[-1].parts
            return self.run(body, x, at._replace(path=_join(at.path, key), scope=(*at.scope, held)))
        inside = lambda key: at._replace(path=_join(at.path, key), depth=at.depth + 1)
        return layer.flow(x, lambda key, _, x: self.run(parts[key], x, inside(key)))

    def _label(self, around: list[Plan], at: _Place) -> str:
        """A layer's expression; where a shared layer is used first, what it is too."""
        text, layer = brief(around, len(at.scope)), around[-1].layer
        if isinstance(layer, Shared) and layer.method is None:
            held = at.scope[-1 - layer.index]
            if not any(held is seen for seen in self.used):
                self.used.append(held)
                return f"{text} = {brief(chain(held), len(at.scope) - 1 - layer.index)}"
        return text


def _join(path: str, key: str) -> str:
    return f"{path}/{key}" if path else key


def _mermaid_box(box: Box) -> str:
    text = _escaped(box.label)
    if box.kind == "join":
        return f'(("{text}"))'
    text += f"<br/>{_escaped(box.shape)}"
    return f'["{text}"]' if box.kind == "layer" else f'(["{text}"])'


def _escaped(text: str) -> str:
    """Text for a quoted label, in which Mermaid reads entities, Markdown and HTML."""
    for sign, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;"), ("\\", "#92;")):
        text = text.replace(sign, code)
    return text
