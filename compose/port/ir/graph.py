"""The one graph that every front end feeds: layers of `compose`, who feeds whom, and where the weights come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compose.core.layer import Layer
from compose.port.ir.weights import Take


@dataclass(frozen=True)
class Op:
    """One layer applied to values.

    Attributes:
        layer: without a name; `structure` gives it one.
        inputs: the values it reads, in the order of the layer's input tuple.
        output: the value it makes.
        weights: for each parameter of the layer (`"kernel"`, `"activation/slope"`) how it is taken; a tuple of
            `Take`s for one that is several arrays side by side, along its last axis.
        state: the same for its state.
        path: the source's own name of it, outermost first, as `("layer1", "0", "conv1")`; () where it has none.
        classes: for every prefix of `path` the source's class there, as `("Sequential", "BasicBlock", "Conv2d")`.
        where: the user's file and line, or "".
    """

    layer: Layer
    inputs: tuple[int, ...]
    output: int
    weights: Mapping[str, Take | tuple[Take, ...]] = field(default_factory=dict)
    state: Mapping[str, Take | tuple[Take, ...]] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    where: str = ""

    def takes(self) -> Iterator[Take]:
        """All that its weights and state are taken from."""
        for take in (*self.weights.values(), *self.state.values()):
            yield from take if isinstance(take, tuple) else (take,)


@dataclass(frozen=True)
class Saved:
    """All that the source itself saves: a torch `state_dict()`, Keras's `get_weights()`, Flax's variables.

    Attributes:
        framework: `"torch"`, `"keras"` or `"flax"`.
        names: every entry in the source's order, and which of `SourceGraph.arrays` it is; tied weights are the
            same one.
        rest: the entries that are no weight of the network, as batch norm's counter of batches.
        fixed: those of them that are part of the network's expression.
    """

    framework: str
    names: dict[str, str]
    rest: dict[str, Any] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceGraph:
    """A whole model as its front end read it.

    Attributes:
        inputs: the values that come in.
        ops: in an order in which they can run.
        outputs: a value, or a tuple of them (nested as the source returns them).
        arrays: the source's weights by name, as NumPy arrays.
        name: the model's class or function.
        input_axes, output_axes: for each input and output leaf, how its axes are moved from the source's:
            ours is `source.transpose(axes)`; None where they are the same.
        unread: parts of arrays that the source keeps and does not use.
        saved: what the source's own files hold, where it has such.
    """

    inputs: tuple[int, ...]
    ops: tuple[Op, ...]
    outputs: Any
    arrays: dict[str, Any]
    name: str = "model"
    input_axes: tuple[tuple[int, ...] | None, ...] = ()
    output_axes: tuple[tuple[int, ...] | None, ...] = ()
    unread: tuple[Take, ...] = ()
    saved: Saved | None = None
